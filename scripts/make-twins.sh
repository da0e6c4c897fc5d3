#!/bin/sh
# The command that makes the bundled twins: three sessions of the reference amp, then trainings that go on from one
# another, each with the learning rate up again. Nine hours on two cores; it goes on where it was interrupted.
# (Those bundled now had other windows, four of 8,192 a step, in the first two runs of `standard` and in all of `nano`; all
# but the last four of `standard` heard passages with the guitar turned down further, and the first three had a patience
# that did not follow the losses.)
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
session=build/twins/session
corners=build/twins/session-2  # a quarter of it the corners of the panel, of which the other one has six seconds each
many=build/twins/session-3     # four times the settings, as a clean amp's tone is the harder to learn between them
mkdir -p build/twins src/tubetwin/twins
[ -f $session/session.json ] || tubetwin capture --amp reference --settings 512 --seconds 6 --seed 1 -o $session
[ -f $corners/session.json ] || tubetwin capture --amp reference --settings 64 --seconds 12 --seed 2 -o $corners
[ -f $many/session.json ] || tubetwin capture --amp reference --settings 2048 --seconds 2.5 --seed 3 -o $many
run() {  # SESSIONS SIZE NAME MINUTES [OPTIONS]
  heard=$1 size=$2 name=$3 minutes=$4
  shift 4
  [ -f build/twins/$name.twin ] ||
    tubetwin train $heard --size $size --minutes $minutes --licence MIT "$@" -o build/twins/$name.twin
}
run $session standard standard-first 62
run $session standard standard-second 120 --threads 1 --from build/twins/standard-first.twin
run $session standard standard-third 60 --learning-rate 0.002 --from build/twins/standard-second.twin
run $session standard standard-fourth 60 --threads 1 --learning-rate 0.002 --from build/twins/standard-third.twin
run $session standard standard-fifth 63 --learning-rate 0.002 --from build/twins/standard-fourth.twin
run $corners standard standard-sixth 3.5 --learning-rate 0.0002 --from build/twins/standard-fifth.twin
run "$session $many $corners" standard standard-seventh 60 --best --learning-rate 0.002 --from build/twins/standard-sixth.twin
run "$session $many $corners" standard standard-eighth 13 --best --learning-rate 0.0007 --from build/twins/standard-seventh.twin
run $session nano nano-first 16
run $session nano nano-second 90 --threads 1 --from build/twins/nano-first.twin
cp build/twins/standard-eighth.twin src/tubetwin/twins/standard.twin
cp build/twins/nano-second.twin src/tubetwin/twins/nano.twin
