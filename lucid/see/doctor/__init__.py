"""The doctor: names forty-five common mistakes of a training, each with the line at fault and the fix.

    print(lucid.see.doctor(model, loss, optimizer))            # one look at a loss
    with lucid.see.watch(model, optimizer) as watched: ...     # some steps of a training; then print(watched)

`evidence` holds what there is to look at, `checks` the mistakes and the report, and `diagnosis` runs the checks.
"""

from lucid.see.doctor.checks import Finding, Report
from lucid.see.doctor.diagnosis import doctor, watch

__all__ = ["Finding", "Report", "doctor", "watch"]
