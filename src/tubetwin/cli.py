"""The command line: from a circuit or a recording to a twin, and from a twin to the ear.

Every command says what it does with `--help`. What a script wants to read comes with `--json` on
standard output; progress goes to standard error. What a user can mend ends with one line on it and
exit code 2.
"""

import sys
from collections.abc import Sequence

import click

from tubetwin import __version__, making, playing, recording
from tubetwin.files import BadInput


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def cli() -> None:
    """Twins of guitar tube amplifiers: one small file each that plays at every knob position.

    \b
    Hear one:          tubetwin demo
    Play one:          tubetwin live, or tubetwin web
    Reamp with one:    tubetwin render guitar.wav --volume 7 --cabinet 1x12 -o out.wav
    Make one:          tubetwin capture --amp reference -o session
                       tubetwin train session -o my.twin
    Of your own amp:   tubetwin plan --knob Volume=1:10 --knob Treble -o session
                       tubetwin capture session, or tubetwin import recordings/
    Judge one:         tubetwin evaluate my.twin session, tubetwin report my.twin session
    In a DAW:          tubetwin export-plugin my.twin --format vst3 -o ~/.vst3
                       tubetwin preset my.twin --volume 7 --format lv2 -o ~/.lv2
    """


for command in (
    *(playing.render, playing.live, playing.web, playing.demo, playing.amp, playing.di),
    *(playing.export_plugin, playing.preset),
    *(recording.plan, recording.capture, recording.import_, recording.check),
    *(making.train, making.evaluate, making.report, making.info),
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns the exit code: 0, 1 for a check that refuses, 2 for what the user can mend, 130 for
    Ctrl-C.
    """
    try:
        code = cli.main(arguments, prog_name="tubetwin", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except BadInput as error:
        click.echo(f"Error: {error}", err=True)
        return 2
    except ModuleNotFoundError as error:
        extra = {"torch": "train", "numba": "amp", "scipy": "amp", "matplotlib": "report"}.get(
            error.name or ""
        )
        if not extra:
            raise
        click.echo(f"Error: this needs {error.name}: pip install 'tubetwin[{extra}]'", err=True)
        return 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return 130
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
