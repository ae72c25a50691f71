"""`python -m irisdrop` is `irisdrop`."""

from irisdrop.surface.cli import main

if __name__ == "__main__":
    main()
