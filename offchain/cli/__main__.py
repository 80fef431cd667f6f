"""`python -m offchain.cli` is `paystream`."""

from offchain.cli import main

main()
