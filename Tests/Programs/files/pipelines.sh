# Pipelines, redirections, traps, jobs, here-documents, arithmetic, process substitution.
set -o pipefail
sort words.txt | uniq -c | sort -rn | awk '$1 > 3' | head -n 5
tr ' ' '\n' <words.txt | grep -c ing
cat <<END | tr a-z A-Z
here $((6 * 7)) and "$(basename "$PWD/x")"
END
diff <(head -n 3 numbers.txt) <(head -n 4 numbers.txt)
echo "status $?"
for i in 1 2 3; do (sleep 0.0$i; exit $i) & done
for job in $(jobs -p); do wait "$job"; echo "job $?"; done
trap 'echo trapped' USR1
kill -USR1 $$
false | true
echo "pipefail $?"
exec 5>out.txt
echo five >&5
exec 5>&-
while read -r a b; do echo "$b $a"; done <left.txt | tail -n 2
declare -A map=([one]=1 [two]=2)
echo "${map[two]} ${#map[@]} ${BASH_VERSINFO[0]}"
coproc cat
echo through the coprocess >&"${COPROC[1]}"
read -r line <&"${COPROC[0]}"
echo "$line"
exec {COPROC[1]}>&-
wait
(exit 9)
echo "subshell $?"
printf '%s\n' tree/*/x/*.txt | xargs wc -l | tail -n 1
