// Worker threads that share memory, exchange messages, and use the thread pool of libuv.
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const crypto = require('crypto');
const fs = require('fs');
const zlib = require('zlib');

if (!isMainThread) {
  const counter = new Int32Array(workerData.shared);
  for (let i = 0; i < 1000; i++) Atomics.add(counter, 0, 1);
  parentPort.on('message', (n) => {
    if (n === null) parentPort.close();
    else parentPort.postMessage(n * n);
  });
} else {
  const shared = new SharedArrayBuffer(4);
  const one = (n) => new Promise((resolve) => {
    const w = new Worker(__filename, { workerData: { shared } });
    let sum = 0;
    w.on('message', (v) => { sum += v; });
    w.on('exit', () => resolve(sum));
    for (let i = 0; i < 10; i++) w.postMessage(n * 10 + i);
    w.postMessage(null);
  });
  (async () => {
    console.log(await Promise.all([0, 1, 2].map(one)));
    console.log(new Int32Array(shared)[0]);
    const derive = (n) => new Promise((resolve, reject) =>
      crypto.pbkdf2('secret', `salt ${n}`, 1000, 16, 'sha256', (e, k) => e ? reject(e) : resolve(k.toString('hex'))));
    console.log(await Promise.all([1, 2, 3, 4, 5, 6].map(derive)));
    const data = await fs.promises.readFile('words.txt');
    const packed = await new Promise((resolve, reject) => zlib.deflate(data, (e, b) => e ? reject(e) : resolve(b)));
    console.log(data.length, zlib.inflateSync(packed).equals(data));
    await Promise.all([1, 2, 3].map((n) => fs.promises.writeFile(`out-${n}`, `written ${n}\n`)));
  })();
}
