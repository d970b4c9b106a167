"""The live engine: the controller is called at every candle as the bot calls it, and sees what the bot would see.

    tape       what each feed shows on each row: its finished candles, and the unfinished one of a longer interval
    provider   Hummingbot's MarketDataProvider over candles that have been shown; it holds nothing later
    pairs      the rows the engine steps over, and the candles of every traded pair on them
    ledger     executors and held positions of several pairs, and what the bot would report of them
    engine     the loop
    need       why a controller needs this engine: state per tick, decisions without features
    replay     a back-test and its live replay side by side

On every row the controller's `update_processed_data` is awaited and `determine_executor_actions` is called. The moment
of a row is the close of its candle; `time()` gives the candle's open time, as the other engines do, so that time
limits count alike. With a shift of k candles, candle data arrives k candles of the resolution late; with shift 1 the
newest finished candle is the one that closed at `time()`. Prices by type are the row's close.
"""
