"""Download: candles and trading rules from an exchange into the candle folder. The only room with the network on.

A process of its own (`python -m tasks.sync`), started by the orchestrator for one order and gone afterwards:

    orders       what passes between the orchestrator and this process
    needs        which feeds a sweep asks for
    slots        which candles are missing, and the requests that bring them
    retry_policy     what to do when the exchange does not answer, refuses or is asked too often
    journal      the pages downloaded so far, in a file that survives anything
    target       the feed's file: what it holds, and how it is replaced
    feed         the main story: one feed from plan to file
    rules        trading rules into <connector>.json
    work         all of an order
"""
