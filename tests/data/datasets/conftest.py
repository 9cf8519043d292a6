import pytest


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Indices are kept for one test only."""
    home = tmp_path / "home of lockon"
    monkeypatch.setenv("LOCKON_HOME", str(home))
    return home
