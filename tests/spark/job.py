"""A Spark program, started by ``test_spark.py``: ``job.py MASTER {score,stream,sample,refuse} PACK IN OUT``."""

from __future__ import annotations

import sys


def main(master: str, what: str, pack: str, source: str, target: str) -> None:
    """Run one job."""
    from pyspark.sql import SparkSession

    from spark import sample, score

    session = (
        SparkSession.builder.master(master)
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.executor.memory", "512m")
        .config("spark.sql.shuffle.partitions", "4")
        # A task for each file.
        .config("spark.sql.files.maxPartitionBytes", "1m")
        .config("spark.sql.files.openCostInBytes", "1m")
        .getOrCreate()
    )
    if what == "score":
        score(session.read.parquet(source), pack).write.parquet(target)
    elif what == "sample":
        drawn = sample(session.read.parquet(source), 1000, seed=7, columns=["sd", "mean"])
        drawn.coalesce(1).write.parquet(target)
    elif what == "refuse":
        score(session.read.parquet(source), pack).count()
    elif what == "stream":
        schema = session.read.parquet(source).schema
        stream = session.readStream.schema(schema).option("maxFilesPerTrigger", 1).parquet(source)
        written = score(stream, pack).writeStream.option("checkpointLocation", f"{target}.checkpoint").format("parquet")
        written.trigger(availableNow=True).start(target).awaitTermination()
        # Only Spark reads a stream's files by their log; what an interrupted batch left behind is not in it.
        session.read.parquet(target).coalesce(1).write.parquet(f"{target}.read")
    session.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
