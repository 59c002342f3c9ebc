"""The catalogue in MongoDB and Milvus, which the operator brings up and a Job loads."""

from cluster import Namespace
from experiments import Experiment, manifest, shop_log
from installation import Options
from servers import Files

ITEMS = 2000


def catalogue() -> str:
    kinds = ("bread", "milk", "cheese", "apples", "soap")
    rows = (f"i{at},{kinds[at % 5]} number {at},{kinds[at % 5]},brand {at % 37}" for at in range(ITEMS))
    return "\n".join(["item,title,category,brand", *rows, ""])


def test_mongodb_and_milvus(namespace: Namespace, options: Options) -> None:
    files = Files.up(namespace, options)
    files.put("catalogue.csv", catalogue())
    files.put("log.csv", shop_log(20_000, views=2000, items=ITEMS))
    wanted = manifest(
        "shop",
        workload={"source": {"dataset": None, "url": files.url("log.csv")}, "requests": ["click"], "limit": None},
        catalog={"source": {"dataset": None, "url": files.url("catalogue.csv")}},
        dependencies={"mongodb": {"embedded": {}}, "milvus": {"embedded": {}}},
    )
    experiment = Experiment.applied(namespace, wanted)
    status = experiment.wait_for("Succeeded", seconds=400)
    assert status["events"] == "22000"
    assert {arm["requests"] for arm in status["arms"].values()} == {"20000"}
