"""The doctor: names thirty-three common mistakes of a training, each with the line at fault and the fix.

    print(lucid.see.doctor(model, loss, optimizer))            # one look at a loss
    with lucid.see.watch(model, optimizer) as watched: ...     # some steps of a training; then print(watched)

`findings` has the report. `evidence` holds what there is to look at: the graph of a loss, and everything that was
observed of a training. `checks` is the table of mistakes, and `checks_loss`, `checks_parameters`, `checks_signal` and
`checks_time` are its entries. `diagnosis` runs the checks once, `watching` over some steps.
"""

from lucid.see.doctor.diagnosis import doctor
from lucid.see.doctor.findings import Finding, Report
from lucid.see.doctor.watching import watch

__all__ = ["Finding", "Report", "doctor", "watch"]
