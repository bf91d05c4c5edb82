"""The example of a model of one's own learns the built-in digits."""

import pytest

from engine.config import RunConfig

pytestmark = [
    pytest.mark.tensorflow,
    # Keras' own reading of a variable, under numpy 2
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
]


def test_it_learns_the_digits_in_three_rounds(learn):
    config = RunConfig(dataset="digits", model="docs.examples.own_model:model", clients=3)

    before, *_, after = learn(config, 3)

    assert before < 0.3
    assert after >= 0.85
