set s 0
for {set i 0} {$i < 1000} {incr i} {incr s [expr {$i * $i}]}
puts $s
puts [exec echo child]
set f [open words.txt]
puts [string length [read $f]]
