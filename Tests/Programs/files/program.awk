BEGIN { FS = " " }
{ words += NF; for (i = 1; i <= NF; i++) { count[$i]++; letters[substr($i, 1, 1)] += length($i) } }
length($0) > longest { longest = length($0); at = NR }
END {
  print NR, words, longest, at
  for (l = 97; l <= 122; l++) { c = sprintf("%c", l); printf "%s %d\n", c, letters[c] }
  for (w in count) if (count[w] > best || (count[w] == best && w < word)) { best = count[w]; word = w }
  print word, best
  printf "%.6f %d\n", sin(1) + exp(1), substr("12345", 2, 3) + 1
}
