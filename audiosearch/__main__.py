"""``python -m audiosearch``, and the script `audiosearch`."""

from audiosearch import interrupts


def main() -> None:
    """Run the command line."""
    interrupts.exit_at_once()  # before the imports, which take a moment
    from audiosearch.cli import main as run

    run()


if __name__ == "__main__":
    main()
