"""The example projects have suites of their own, which their tests here run in processes of their own."""

collect_ignore = ["governance"]
