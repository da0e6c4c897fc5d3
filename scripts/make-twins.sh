#!/bin/sh
# The command that makes the bundled twins: a session of the reference amp, then two trainings.
# Runs for about two and a half hours on two cores; each step goes on where it was interrupted.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
session=build/twins/session
mkdir -p build/twins src/tubetwin/twins
[ -f $session/session.json ] || tubetwin capture --amp reference --settings 512 --seconds 6 --seed 1 -o $session
tubetwin train $session --size standard --minutes 75 --licence MIT -o src/tubetwin/twins/standard.twin
tubetwin train $session --size nano --minutes 55 --licence MIT -o src/tubetwin/twins/nano.twin
