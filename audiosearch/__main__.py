"""``python -m audiosearch``, and the script `audiosearch`."""

from audiosearch import import_path


def main() -> None:
    """Run the command line."""
    import_path.leave_out_working_directory()
    from audiosearch import interrupts

    interrupts.exit_at_once()  # before the imports, which take a moment
    from audiosearch.cli import main as run

    run()


if __name__ == "__main__":
    main()
