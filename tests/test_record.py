import numpy as np
import pytest

import record


@pytest.mark.parametrize(("accuracy", "said"), [(0.9, 0), (0.75, 1)])
def test_a_network_that_learned_nothing_is_said_to_in_one_line(accuracy, said, capsys):
    watch = record.Learning([np.array([[True, True], [True, False]])])
    watch.on_epoch_end(0, {"val_accuracy": accuracy})
    printed = capsys.readouterr().out
    assert printed.strip().count("\n") == 0
    assert printed.count(f"accuracy {accuracy:.4f}") == said
    watch.on_epoch_end(1, {"val_accuracy": accuracy})
    assert not capsys.readouterr().out
