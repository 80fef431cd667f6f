"""`python -m offchain` is `paystream`."""

from offchain.cli import main

main()
