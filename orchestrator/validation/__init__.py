"""Would it have worked on data it never saw? Windows are planned, points chosen, curves joined and judged here.

    folds         period, `validate`              -> the windows that are run
    window_order  rows of a window                -> its points in order, also where it is too short for annual figures
    choice        rows of a training window       -> the points that go into its test
    joined        test windows of chosen points   -> one out-of-sample equity curve and its figures
    walk          all of it                       -> the table, the control, efficiency, how the parameters wander
    crossing      every point on every test       -> rank correlation, paths of combinatorial cross-validation
    robustness    rows under changed conditions   -> what a point's result depends on

Nothing here runs a back-test; see orchestrator.execution.stages.
"""
