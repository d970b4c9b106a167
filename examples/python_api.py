"""A sweep from Python, without the command line; the same lines work in the cells of a notebook.

python examples/synthetic.py --to examples/data
python examples/python_api.py
"""

from pathlib import Path

from hummingsweep import Sweep

HERE = Path(__file__).parent


def main(out: Path = Path("runs/python_api"), candles: Path = HERE / "data") -> None:
    # Any key of the file can be replaced, the grid too: 3 x 2 x 2 = 12 points over six hours.
    sweep = Sweep.from_file(
        HERE / "quickstart.yml",
        out=out,
        candles=str(candles.resolve()),
        grid={"bb_length": [20, 40, 60], "bb_std": [1.5, 2.5], "take_profit": [0.004, 0.008]},
        period={"start": "2024-01-02T00:00:00", "end": "2024-01-02T06:00:00"},
        where=None,
    )
    print(sweep)

    # A pandas DataFrame, the best point first. Called again it continues, and finds nothing left to compute.
    rows = sweep.run()
    print(rows[["rank", "bb_length", "bb_std", "take_profit", "net_pnl", "total_positions"]].head().to_string())

    # From here on it is pandas: the mean result of every pair of values.
    print(rows.pivot_table(values="net_pnl", index="bb_length", columns="bb_std").round(5).to_string())

    # Is the winner a plateau or a spike, and does it lie at the edge of the grid?
    ranking = sweep.ranking()
    print(f"stability: {ranking.neighbourhood.stability}, edges: {[edge.axis for edge in ranking.edges]}")
    print(f"audit: {rows.attrs['audit']}")
    print(f"report: {rows.attrs['report']}")


if __name__ == "__main__":
    main()
