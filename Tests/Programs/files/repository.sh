# A small git history with fixed dates.
export GIT_AUTHOR_DATE='2001-02-03T04:05:06Z' GIT_COMMITTER_DATE='2001-02-03T04:05:06Z'
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
export GIT_CONFIG_NOSYSTEM=1
git init -q -b main repo
cd repo || exit 1
cp -r ../tree .
git add -A
git commit -q -m first
sed -i 's/1/one/' tree/a/x/file-1.txt
git diff --stat
git commit -q -a -m second
git checkout -q -b side HEAD~1
echo more >more.txt
git add more.txt
git commit -q -m third
git checkout -q main
git merge -q -m merged side
git log --format='%H %s' --graph
git fsck --strict 2>&1
git archive HEAD | sha1sum
cd ..
rm -rf repo
