#!/bin/sh
# The command that makes the bundled twins: a session of the reference amp, then two trainings, each in two
# runs, the second going on from the first with the learning rate up again. Five hours on one core, less on
# two; each step goes on where it was interrupted.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
session=build/twins/session
mkdir -p build/twins src/tubetwin/twins
[ -f $session/session.json ] || tubetwin capture --amp reference --settings 512 --seconds 6 --seed 1 -o $session
for size in standard nano; do
  [ $size = standard ] && first=62 second=120 || { first=16; second=90; }
  [ -f build/twins/$size-first.twin ] ||
    tubetwin train $session --size $size --minutes $first --licence MIT -o build/twins/$size-first.twin
  tubetwin train $session --size $size --from build/twins/$size-first.twin --threads 1 --minutes $second \
    --licence MIT -o src/tubetwin/twins/$size.twin
done
