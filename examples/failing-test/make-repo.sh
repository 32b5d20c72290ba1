#!/bin/sh
# Makes a git repository with the example project in DIR.
#
#   make-repo.sh DIR [--bug first|other]
#
# The same call always makes the same commit.
set -eu

usage() {
    echo "usage: make-repo.sh DIR [--bug first|other]" >&2
    exit 2
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
[ $# -ge 1 ] || usage
dir=$1
shift
bug=first
while [ $# -gt 0 ]; do
    case $1 in
        --bug) [ $# -ge 2 ] || usage; bug=$2; shift 2 ;;
        *) usage ;;
    esac
done
case $bug in first | other) ;; *) usage ;; esac

if [ -e "$dir" ] && [ -n "$(ls -A -- "$dir")" ]; then
    echo "make-repo.sh: $dir is not empty; name a directory that is empty or does not exist" >&2
    exit 1
fi

# The machine's own settings must not change the commit.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME='Example' GIT_AUTHOR_EMAIL='example@example.invalid'
export GIT_COMMITTER_NAME="$GIT_AUTHOR_NAME" GIT_COMMITTER_EMAIL="$GIT_AUTHOR_EMAIL"
export GIT_AUTHOR_DATE='2026-01-01T00:00:00+00:00' GIT_COMMITTER_DATE='2026-01-01T00:00:00+00:00'
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

mkdir -p -- "$dir"
cp -R "$here/project/." "$dir"
cd "$dir"
find . -name __pycache__ -type d -prune -exec rm -rf {} +
git init --quiet --initial-branch=main
[ "$bug" = first ] || git apply "$here/other-bug.patch"
git add --all
git commit --quiet --message 'Billing'
git rev-parse HEAD
