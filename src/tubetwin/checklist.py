"""A schedule on the screen and on paper: one line a take, to be ticked off."""

from html import escape

from tubetwin.schedule import Schedule, turns


def lines(schedule: Schedule) -> list[str]:
    """One line a take: what must be turned is in capitals."""
    made, before = [], dict[str, float]()
    for number, (setting, _) in enumerate(schedule.takes, start=1):
        changed = turns(before, setting)
        words = [
            (
                c.printed(setting[c.knob.name]).upper()
                if c.knob.name in changed
                else c.printed(setting[c.knob.name])
            )
            for c in schedule.controls
        ]
        made.append(f"[ ] {number:3}  " + (", ".join(words) or "its one setting"))
        before = dict(setting)
    return made


def page(schedule: Schedule) -> str:
    """A page to print and to tick off."""
    names = "".join(f"<th>{escape(c.knob.name)}</th>" for c in schedule.controls)
    rows, before = [], dict[str, float]()
    for number, (setting, _) in enumerate(schedule.takes, start=1):
        changed = turns(before, setting)
        cells = "".join(
            f"<td{' class=turn' if c.knob.name in changed else ''}>"
            f"{escape(c.printed(setting[c.knob.name]).removeprefix(c.knob.name).strip())}</td>"
            for c in schedule.controls
        )
        rows.append(f"<tr><td>☐</td><td>{number}</td>{cells}</tr>")
        before = dict(setting)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{escape(schedule.rig)}: session plan</title>
<style>
body {{ font: 12pt sans-serif; margin: 1.5cm }}
table {{ border-collapse: collapse }}
td, th {{ border: 1px solid #999; padding: 2px 9px; text-align: right }}
td.turn {{ font-weight: bold; background: #eee; print-color-adjust: exact }}
tr {{ break-inside: avoid }} thead {{ display: table-header-group }}
</style>
<h1>{escape(schedule.rig)}</h1>
<p>{len(schedule.takes)} takes, about {schedule.minutes:.0f} minutes. Turn what is bold. Let the amp
warm up for 20 minutes first, and leave every level alone until the end.</p>
<table><thead><tr><th></th><th>take</th>{names}</tr></thead><tbody>
{chr(10).join(rows)}
</tbody></table></html>
"""
