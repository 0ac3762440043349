"""A sink's selection is changed between two runs: an audit says what it cannot know, and proves all once it is told."""

from tests.kafka.proof import prove
from tests.kafka.stage import Stage, synthetic, trace


def test_a_selection_that_was_narrowed_and_widened_again_is_no_loss(stage: Stage) -> None:
    """Each worker exports what it was told to; nothing of that is held against it by the settings of another day."""
    topic = stage.unique("usage")
    stage.create_topics(topic)
    events = synthetic(1, 6_000, poison_rate=0.01)
    configs = []
    wanted = (["usage", "cost_estimate"], ["usage"], ["usage", "run_terminal"])
    for run, kinds in enumerate(wanted):
        sinks = {"usage": trace(topic, selection={"kinds": kinds})}
        configs.append(stage.write(stage.configuration(sinks), f"tailrace-{run}.yaml"))
        worker = stage.start(configs[-1])
        stage.produce(events[run * 2_000 : (run + 1) * 2_000])
        stage.wait_until_drained("usage", "dead_letter")
        worker.stop_cleanly()

    untold = prove(configs[-1], complete=False)
    assert "config_changed" in untold.notes
    assert untold.sinks["usage"].unverifiable > 2_000

    told = prove(configs[-1], earlier=configs[:-1])
    assert "config_changed" not in told.notes
    assert told.sinks["usage"].unverifiable == 0
    assert told.sinks["usage"].exported == untold.sinks["usage"].exported > 500
