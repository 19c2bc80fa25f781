"""Write the pages of docs/ that are made from the code: `make pages`."""

from trading_platform_tests.pages.made import DOCS, made_pages


def main() -> None:
    """Write every made page."""
    for name, text in made_pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
        print(f"docs/{name}")  # noqa: T201


if __name__ == "__main__":
    main()
