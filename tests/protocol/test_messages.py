"""Control and telemetry messages: what is known comes back, the rest is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import MessageInvalid
from engine.protocol.messages import (
    MAX_MESSAGE_BYTES,
    Receipt,
    decode_control,
    decode_telemetry,
    encode,
)

RECEIPT = Receipt(run="r", epoch=2, round=3, client="1", transfer="ab" * 16, verdict="held")


def test_a_message_comes_back_with_its_type():
    assert decode_control(encode(RECEIPT)) == RECEIPT
    assert b'"type":"receipt"' in encode(RECEIPT)


def test_a_field_of_a_later_version_is_ignored():
    assert decode_control(encode(RECEIPT)[:-1] + b',"colour":"red"}') == RECEIPT


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"[]",
        b"{}",
        b'{"type":"coup"}',
        b'{"type":"receipt"}',
        b'{"type":"epoch_started","run":"r","epoch":"1"}',
        b'{"type":"epoch_started","run":"\xff","epoch":1}',
        b'{"type":"epoch_started","run":"r","epoch":1,"x":' + b"[" * 10_000,
        b" " * (MAX_MESSAGE_BYTES + 1),
    ],
)
def test_what_is_no_message_is_refused(value):
    for decode in (decode_control, decode_telemetry):
        with pytest.raises(MessageInvalid):
            decode(value)


@given(st.binary(max_size=100))
def test_any_bytes_get_an_answer(value):
    for decode in (decode_control, decode_telemetry):
        with pytest.raises(MessageInvalid):
            decode(value)


def test_control_and_telemetry_do_not_take_each_others_messages():
    with pytest.raises(MessageInvalid):
        decode_telemetry(encode(RECEIPT))
