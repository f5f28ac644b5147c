"""The file of metrics: all numbers, in the text format of Prometheus."""

import re

from metered import AT, metered_run

from oidl.net.pace import PaceState
from oidl.progress.meter import Meter
from oidl.progress.metrics import metrics_text


def test_the_metrics_have_every_number_by_its_labels() -> None:
    samples = dict(
        line.rsplit(" ", 1)
        for line in metrics_text(metered_run().statistics(), AT).splitlines()
        if not line.startswith("#")
    )
    assert samples == {
        'oidl_images{subset="train",status="pending"}': "4",
        'oidl_images{subset="train",status="retry"}': "1",
        'oidl_images{subset="train",status="done"}': "1",
        'oidl_images{subset="train",status="failed"}': "1",
        'oidl_images{subset="test",status="pending"}': "0",
        'oidl_images{subset="test",status="retry"}': "0",
        'oidl_images{subset="test",status="done"}': "1",
        'oidl_images{subset="test",status="failed"}': "0",
        'oidl_failures{reason="gone",status="failed"}': "1",
        'oidl_failures{reason="gone",status="retry"}': "0",
        'oidl_failures{reason="timeout",status="failed"}': "0",
        'oidl_failures{reason="timeout",status="retry"}': "1",
        'oidl_run_tries_total{status="done"}': "1",
        'oidl_run_tries_total{status="failed"}': "1",
        'oidl_run_tries_total{status="retry"}': "1",
        "oidl_read_bytes_total": "3000",
        "oidl_written_bytes_total": "40",
        "oidl_images_per_second": "2.0",
        "oidl_read_bytes_per_second": "3000.0",
        "oidl_written_bytes_per_second": "40.0",
        "oidl_remaining_images": "6",
        "oidl_eta_seconds": "3.0",
        "oidl_in_flight_images": "2",
        "oidl_downloads_in_progress": "1",
        "oidl_resizes_in_progress": "1",
        'oidl_pace_window{provider="flickr"}': "8",
        'oidl_pace_pause_seconds{provider="flickr"}': "2.04",
        "oidl_run_elapsed_seconds": "1.0",
        "oidl_updated_timestamp_seconds": str(AT.timestamp()),
    }


def test_every_metric_is_explained_and_typed_before_its_samples() -> None:
    explained: set[str] = set()
    typed: set[str] = set()
    for line in metrics_text(metered_run().statistics(), AT).splitlines():
        if line.startswith("# HELP "):
            explained.add(line.split(" ", 3)[2])
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert kind == ("counter" if name.endswith("_total") else "gauge")
            typed.add(name)
        else:
            assert re.fullmatch(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [-0-9.e+]+', line)
            assert re.split("[{ ]", line)[0] in explained & typed


def test_numbers_are_exact_where_they_count() -> None:
    meter = Meter(lambda: 0.0)
    meter.read(18_123_456_789_012)
    assert "oidl_read_bytes_total 18123456789012\n" in metrics_text(meter.statistics(), AT)


def test_what_a_label_must_not_hold_is_escaped() -> None:
    meter = Meter(lambda: 0.0)
    meter.paced_by(lambda: (PaceState('a"b\\c\nd', 1, 2.5, 0.0),))
    assert 'oidl_pace_rate{provider="a\\"b\\\\c\\nd"} 2.5\n' in metrics_text(meter.statistics(), AT)
