"""``python -m pacbayes``, which is also what torchrun starts."""

from pacbayes.cli import main

if __name__ == "__main__":
    main()
