"""``python -m audiosearch``."""

from audiosearch.cli import main

if __name__ == "__main__":
    main()
