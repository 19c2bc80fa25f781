"""`python -m trading_platform` is the console script."""

from trading_platform.cli.main import main

if __name__ == "__main__":
    main()
