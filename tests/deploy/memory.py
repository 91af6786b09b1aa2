"""`python -m tests.deploy.memory`: the memory of a server as it loads networks, as a Markdown table."""

import asyncio

from tests.load.load import Person, Server

NETWORKS = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2", "resnet50", "vgg16")
FETCHED = NETWORKS[3:]  # shown untrained, which takes the same memory and no network


async def main() -> None:
    """Visit a fresh server, one network after the other, with a Grad-CAM map of each."""
    async with Server() as server, Person(server.port) as person:
        print("| the server, after | memory |", "|---|---|", sep="\n")
        print(f"| its start, before the first visitor | {server.memory():.0f} MB |")
        for name in NETWORKS:
            answer = await person.open(model=name, untrained=str(int(name in FETCHED)), method="grad_cam", layer="")
            if answer.errors or not answer.maps:
                raise AssertionError(f"no map of {name}: {answer.errors}")
            print(f"| and {name} | {server.memory():.0f} MB |")


if __name__ == "__main__":
    asyncio.run(main())
