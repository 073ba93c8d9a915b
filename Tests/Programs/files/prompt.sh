echo $((1+2))
tty >/dev/null && echo terminal
ls words.txt
exit 3
