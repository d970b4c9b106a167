"""The engines that run one point, the executors and fills they simulate, metrics and audit."""
