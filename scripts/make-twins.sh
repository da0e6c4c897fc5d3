#!/bin/sh
# The command that makes the bundled twins: a session of the reference amp, then trainings that go on from one
# another, each with the learning rate up again. Six hours and a half on two cores; it goes on where it was interrupted.
# (Those bundled now had other windows, four of 8,192 a step, in all runs but the last two of `standard`, and a patience
# that did not follow the losses in all but the last.)
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
session=build/twins/session
mkdir -p build/twins src/tubetwin/twins
[ -f $session/session.json ] || tubetwin capture --amp reference --settings 512 --seconds 6 --seed 1 -o $session
run() {  # SIZE NAME MINUTES [OPTIONS]
  size=$1 name=$2 minutes=$3
  shift 3
  [ -f build/twins/$name.twin ] ||
    tubetwin train $session --size $size --minutes $minutes --licence MIT "$@" -o build/twins/$name.twin
}
run standard standard-first 62
run standard standard-second 120 --threads 1 --from build/twins/standard-first.twin
run standard standard-third 60 --learning-rate 0.002 --from build/twins/standard-second.twin
run standard standard-fourth 60 --threads 1 --learning-rate 0.002 --from build/twins/standard-third.twin
run nano nano-first 16
run nano nano-second 90 --threads 1 --from build/twins/nano-first.twin
cp build/twins/standard-fourth.twin src/tubetwin/twins/standard.twin
cp build/twins/nano-second.twin src/tubetwin/twins/nano.twin
