import CMFRABI
import MFRCore

/// A broken page of the buffer is replaced while there is no coordinator: the next one tells of it.
enum BrokenPages {
  static func tell(_ buffer: SyncBuffer, _ events: EventLog) {
    let count = buffer.load(mfr_header_breaks(buffer.base))
    guard count != buffer.load(mfr_header_breaks_told(buffer.base)) else { return }
    buffer.store(mfr_header_breaks_told(buffer.base), count)
    let page = buffer.load(mfr_header_break_page(buffer.base))
    let part =
      switch page &* UInt32(MFR_PAGE) {
      case ..<UInt32(MFR_OFF_REPLICAS_VALUE): "header"
      case ..<UInt32(MFR_OFF_RANGES_VALUE): "replicas"
      case ..<UInt32(MFR_OFF_SLOTS_VALUE): "ranges"
      case ..<UInt32(MFR_OFF_DATA_VALUE): "slots"
      default: "data"
      }
    var event = Event("buffer", level: .warning)
    event.text = "page \(page) of the buffer (\(part)) was broken and is replaced; the leader went on alone"
    events.write(event)
  }
}
