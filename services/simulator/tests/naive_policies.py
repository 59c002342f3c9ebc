"""The policies again, written to be obviously right and for nothing else."""

from functools import cache as remember

from aura_simulator.priority import TtlTiers


def naive_lru(codes: list[int], capacity: int) -> list[bool]:
    cache: list[int] = []
    hits = []
    for code in codes:
        hits.append(code in cache)
        if code in cache:
            cache.remove(code)
        cache = [*cache, code][-capacity:]
    return hits


def naive_priority(
    codes: list[int],
    capacity: int,
    bonus: list[int],
    now: list[int] | None = None,
    tiers: TtlTiers | None = None,
) -> list[bool]:
    cache: dict[int, tuple[int, int]] = {}
    expiry: dict[int, int] = {}
    hits = []
    for t, code in enumerate(codes):
        alive = now is None or expiry.get(code, 0) > now[t]
        hit = code in cache and alive
        hits.append(hit)
        if not hit and now is not None and tiers is not None:
            expiry[code] = now[t] + tiers.at(len(cache) / capacity)
        cache[code] = (t + bonus[t], t)
        if len(cache) > capacity:
            del cache[min(cache, key=lambda item: cache[item])]
    return hits


def naive_s3fifo(codes: list[int], capacity: int) -> list[bool]:  # noqa: C901
    """Algorithm 1 of the paper on plain lists, newest first."""
    small: list[int] = []
    main: list[int] = []
    ghost: list[int] = []
    freq: dict[int, int] = {}
    small_size = max(1, int(capacity * 0.1))
    main_size = capacity - small_size

    def evict_main() -> None:
        while main:
            code = main.pop()
            if freq[code] == 0:
                return
            freq[code] -= 1
            main.insert(0, code)

    def evict_small() -> None:
        while small:
            code = small.pop()
            if freq[code] <= 1:
                ghost.insert(0, code)
                del ghost[main_size:]
                return
            freq[code] = 0
            main.insert(0, code)
            if len(main) > main_size:
                evict_main()
                return

    hits = []
    for code in codes:
        hit = code in small or code in main
        hits.append(hit)
        if hit:
            freq[code] = min(freq[code] + 1, 3)
            continue
        while len(small) + len(main) >= capacity:
            if len(small) >= small_size or not main:
                evict_small()
            else:
                evict_main()
        freq[code] = 0
        if code in ghost:
            ghost.remove(code)
            main.insert(0, code)
        else:
            small.insert(0, code)
    return hits


def most_hits(codes: tuple[int, ...], capacity: int, budget: int = 0, window: int = 1) -> int:
    """The most hits there can be, by trying everything: any fill or bypass, any eviction, any prefetch within the budget."""
    items = sorted(set(codes))

    def shrunk(cache: frozenset[int]) -> set[frozenset[int]]:
        if len(cache) <= capacity:
            return {cache}
        return {smaller for item in cache for smaller in shrunk(cache - {item})}

    def fetched(cache: frozenset[int]) -> set[frozenset[int]]:
        states = {cache}
        for _ in range(budget):
            states |= {smaller for state in states for item in items for smaller in shrunk(state | {item})}
        return states

    @remember
    def best(t: int, cache: frozenset[int], may_fetch: bool) -> int:
        if t == len(codes):
            return 0
        if may_fetch and budget and t % window == 0:
            return max(best(t, state, False) for state in fetched(cache))
        if codes[t] in cache:
            return 1 + best(t + 1, cache, True)
        return max(best(t + 1, state, True) for state in {cache} | shrunk(cache | {codes[t]}))

    return best(0, frozenset(), True)
