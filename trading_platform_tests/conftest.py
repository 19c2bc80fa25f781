"""What holds for all tests: no example is judged by how long a busy machine took for it."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None, max_examples=30)
settings.load_profile("untimed")
