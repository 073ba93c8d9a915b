# git with threads: delta search, grep, index preload, checkout with several workers.
set -e
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b HOME=$PWD
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
git init -q -b main work
cd work
git config core.preloadIndex true
git config pack.threads 4
git config grep.threads 3
for i in 1 2 3 4 5 6; do
  for k in 1 2 3 4 5; do head -n $((i * 300 + k)) ../words.txt >file-$k; done
  git add -A
  git commit -qm "commit $i"
done
git repack -q -a -d -f --window=5
git grep -c a.c HEAD | sort
git fsck --no-progress
git rev-parse HEAD
git gc -q
git count-objects
cd ..
git clone -q --no-local work copy 2>/dev/null
git -C copy log --format=%s
rm -rf work/.git copy/.git
