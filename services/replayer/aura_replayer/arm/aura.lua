#!lua name=aura
-- The arm: an event-clock cache on Redis. Eviction order is the expiry: FAR + priority, under volatile-ttl.
-- Value: flag (d demand, p prefetched) | expiry on the event clock, 13 digits, ms | plan number, 8 digits | payload.

local FAR = 4102444800000
local PROBE_EVERY = 25
local PLANS_KEPT = 64
local WINDOWS_KEPT = 4
local CONFIG, STATE, POLICY = 'aura:config', 'aura:state', 'aura:policy'
local WINDOWS, PLANS, PLAN_ORDER, CREDIT = 'aura:windows', 'aura:plans', 'aura:plan-order', 'aura:credit'
local COUNTERS = {'requests', 'hits', 'fills', 'prefetches', 'prefetch_hits', 'evictions', 'held_requests',
  'held_hits'}

local function counters()
  local values = redis.call('HMGET', STATE, unpack(COUNTERS))
  local result = {}
  for i, name in ipairs(COUNTERS) do result[name] = tonumber(values[i] or 0) end
  return result
end

-- Bytes in use, and those of them that belong to connections: up to date while maxmemory-clients is set, but for brand-new ones.
local function memory()
  local info = redis.call('INFO', 'memory')
  return tonumber(string.match(info, 'used_memory:(%d+)')), tonumber(string.match(info, 'mem_clients_normal:(%d+)'))
end

local function items()
  local others = redis.call('EXISTS', CONFIG, STATE, POLICY, WINDOWS, PLANS, PLAN_ORDER, CREDIT)
  return redis.call('DBSIZE') - others
end

-- aura_setup run long medium short (ms) low high (permille) empty budget (bytes) heldout reads (permille): begins or resumes a run.
-- `reads` is the share of the misses that prefetches may cost without a hit.
local function setup(_, argv)
  local run = argv[1]
  if redis.call('HGET', STATE, 'run') ~= run then
    redis.call('DEL', STATE, POLICY, WINDOWS, PLANS, PLAN_ORDER, CREDIT)
    redis.call('HSET', STATE, 'run', run, 'seq', 0, 'now', 0, 'window', -1, 'pressure', 0, 'plans', 0)
  end
  redis.call('HSET', CONFIG, 'long', argv[2], 'medium', argv[3], 'short', argv[4], 'low', argv[5], 'high', argv[6],
    'empty', argv[7], 'budget', argv[8], 'heldout', argv[9], 'reads', argv[10])
  return tonumber(redis.call('HGET', STATE, 'seq'))
end

local function enter_window(window, count)
  local line = {}
  for i, name in ipairs(COUNTERS) do line[i] = count[name] end
  redis.call('HSET', WINDOWS, window, table.concat(line, ','))
  for _, known in ipairs(redis.call('HKEYS', WINDOWS)) do
    if tonumber(known) <= window - WINDOWS_KEPT then redis.call('HDEL', WINDOWS, known) end
  end
end

-- Memory pressure in permille of the budget, measured now; `own` are the bytes of the call under way.
local function measure(config, own)
  local used, connections = memory()
  local budget = tonumber(config[7])
  local pressure = 0
  if budget > 0 then pressure = math.floor(math.max(0, used - connections - own - tonumber(config[6])) * 1000 / budget) end
  redis.call('HSET', STATE, 'pressure', pressure)
  return pressure
end

local function tier(config, pressure)
  if pressure < tonumber(config[4]) then return tonumber(config[1]) end
  if pressure <= tonumber(config[5]) then return tonumber(config[2]) end
  return tonumber(config[3])
end

-- Whether one more value may be fetched ahead of its request: what was fetched for nothing so far is at most a share of the misses
-- (permille; at 1000 there is no limit).
local function affordable(share, prefetches, prefetch_hits, misses)
  return share >= 1000 or (prefetches - prefetch_hits + 1) * 1000 <= share * misses
end

-- Counts a first hit for the plan that fetched the value, unless the plan is forgotten; 0 is a rule without a plan.
local function credit(number)
  if number == 0 or redis.call('HEXISTS', CREDIT, 'plan:' .. number) == 1 then redis.call('HINCRBY', CREDIT, number, 1) end
end

-- Probes and fills the packed entries (key length 1 byte, payload length 2 bytes, key, payload).
-- `meta` is empty or holds 5 bytes an entry: priority bonus (4 bytes, big endian) and flags (bits 0-1 TTL class, bit 2 no fill,
-- bit 3 no request: fetch it if it is absent, bit 4 held out: counted apart).
-- With `trace` (an empty table) each request leaves a 1 in it for a hit and a 0 for a miss.
local function probe_and_fill(body, meta, first, now, ttls, count, share, trace)
  local call, byte, sub, format = redis.call, string.byte, string.sub, string.format
  local levers = #meta > 0
  local clock = format('%013d', now)
  local headers = {}
  for class = 0, 2 do headers[class] = format('d%013d00000000', now + ttls[class]) end
  local number
  local pos, size, entry, n, hits, fills, fetched, credited, held, held_hits = 1, #body, 0, 0, 0, 0, 0, 0, 0, 0
  while pos <= size do
    local key_size, high, low = byte(body, pos, pos + 2)
    local key = sub(body, pos + 3, pos + 2 + key_size)
    local value_at = pos + 3 + key_size
    pos = value_at + high * 256 + low
    local expiry, class, fill, request, apart = FAR + first + n, 0, true, true, 0
    if levers then
      local b1, b2, b3, b4, flags = byte(meta, entry * 5 + 1, entry * 5 + 5)
      expiry = expiry + ((b1 * 256 + b2) * 256 + b3) * 256 + b4
      class = flags % 4
      request = flags % 16 < 8
      apart = flags < 16 and 0 or 1
      fill = flags % 8 < 4 and class ~= 3
      entry = entry + 1
    end
    local value = call('GET', key)
    local live = value and sub(value, 2, 14) > clock
    if not request then
      local misses = count.requests + n - count.hits - hits
      if not live and class ~= 3 and apart == 0
        and affordable(share, count.prefetches + fetched, count.prefetch_hits + credited, misses) then
        number = number or format('%08d', redis.call('HGET', POLICY, 'number') or 0)
        call('SET', key, 'p' .. sub(headers[class], 2, 14) .. number .. sub(body, value_at, pos - 1), 'PXAT', expiry)
        fetched = fetched + 1
      end
    elseif live then
      n, hits, held, held_hits = n + 1, hits + 1, held + apart, held_hits + apart
      if trace then trace[n] = '1' end
      call('PEXPIREAT', key, expiry)
      if byte(value) == 112 then
        call('SETRANGE', key, 0, 'd')
        credit(tonumber(sub(value, 15, 22)))
        credited = credited + 1
      end
    else
      n, held = n + 1, held + apart
      if trace then trace[n] = '0' end
      if fill then
        call('SET', key, headers[class] .. sub(body, value_at, pos - 1), 'PXAT', expiry)
        fills = fills + 1
      elseif value then
        call('DEL', key)
      end
    end
  end
  count.requests = count.requests + n
  count.hits = count.hits + hits
  count.fills = count.fills + fills
  count.prefetches = count.prefetches + fetched
  count.prefetch_hits = count.prefetch_hits + credited
  count.held_requests = count.held_requests + held
  count.held_hits = count.held_hits + held_hits
end

-- aura_batch run seq window first now meta body [trace]: one batch of requests, counted once however often it is sent.
-- `first` is the request number of the first entry, `now` the event clock in ms. Seq 0 with an empty body only moves the clock.
-- Returns status (ok, tick, dup, gap, foreign), policy version, pressure (permille), the totals of COUNTERS, and the items before
-- and after, and with a `trace` of 1 which requests were hits, a byte each. The answer is short, since an answer that does not fit its connection's 1 kB takes 16 kB of the arm's memory.
local function batch(_, argv)
  local run, seq, window, now = argv[1], tonumber(argv[2]), tonumber(argv[3]), tonumber(argv[5])
  local state = redis.call('HMGET', STATE, 'run', 'seq', 'window', 'pressure')
  local before = items()
  local trace = argv[8] == '1' and {} or nil
  local function reply(status, pressure, count)
    local version = tonumber(redis.call('HGET', POLICY, 'version') or 0)
    return {status, version, pressure, count.requests, count.hits, count.fills, count.prefetches, count.prefetch_hits,
      count.evictions, count.held_requests, count.held_hits, before, items(), trace and table.concat(trace)}
  end
  local count = counters()
  local pressure = tonumber(state[4] or 0)
  if state[1] ~= run then return reply('foreign', 0, count) end
  if seq == 0 then
    redis.call('HSET', STATE, 'now', argv[5])
    return reply('tick', pressure, count)
  end
  local last = tonumber(state[2])
  if seq <= last then return reply('dup', pressure, count) end
  if seq ~= last + 1 then return reply('gap', pressure, count) end
  local config = redis.call('HMGET', CONFIG, 'long', 'medium', 'short', 'low', 'high', 'empty', 'budget', 'reads')
  if seq % PROBE_EVERY == 1 then pressure = measure(config, #argv[6] + #argv[7]) end
  if window ~= tonumber(state[3]) then enter_window(window, count) end
  local ttls = {[0] = tier(config, pressure), [1] = tonumber(config[1]), [2] = tonumber(config[3])}
  probe_and_fill(argv[7], argv[6], tonumber(argv[4]), now, ttls, count, tonumber(config[8]), trace)
  redis.call('HSET', STATE, 'seq', seq, 'now', argv[5], 'window', window, 'requests', count.requests, 'hits', count.hits,
    'fills', count.fills, 'prefetches', count.prefetches, 'prefetch_hits', count.prefetch_hits,
    'held_requests', count.held_requests, 'held_hits', count.held_hits)
  return reply('ok', pressure, count)
end

local function held_out(key, share)
  return share > 0 and tonumber(string.sub(redis.sha1hex(key), 1, 8), 16) % 1000 < share
end

local function live(key, clock)
  local value = redis.call('GET', key)
  return value and string.sub(value, 2, 14) > clock
end

local function remember(plan_id, status, evicted, prefetched)
  redis.call('HSET', PLANS, plan_id, status .. ',' .. evicted .. ',' .. prefetched)
  redis.call('RPUSH', PLAN_ORDER, plan_id)
  if redis.call('LLEN', PLAN_ORDER) > PLANS_KEPT then redis.call('HDEL', PLANS, redis.call('LPOP', PLAN_ORDER)) end
end

-- Splits off held-out keys: the others of argv[from], argv[from + step] …, and how many were held out.
local function touchable(argv, from, count, step, share)
  local keys, places, kept = {}, {}, 0
  for i = 0, count - 1 do
    local at = from + i * step
    if held_out(argv[at], share) then
      kept = kept + 1
    else
      keys[#keys + 1], places[#places + 1] = argv[at], at
    end
  end
  return keys, places, kept
end

local function carry_out(argv, state, config)
  local now, number = tonumber(state.now), tonumber(state.plans) + 1
  local clock = string.format('%013d', now)
  local priority = FAR + tonumber(state.requests or 0)
  local evicts, prefetches = tonumber(argv[8]), tonumber(argv[9])
  local share, reads = tonumber(config[1] or 0), tonumber(config[2] or 0)
  local evict, _, kept_evict = touchable(argv, 10, evicts, 1, share)
  local fetch, places, kept_prefetch = touchable(argv, 10 + evicts, prefetches, 3, share)
  local evicted, prefetched, dear = 0, 0, 0
  local count = counters()
  if #evict > 0 then evicted = redis.call('DEL', unpack(evict)) end
  local held = #fetch > 0 and redis.call('MGET', unpack(fetch)) or {}
  for i, key in ipairs(fetch) do
    local absent = not held[i] or string.sub(held[i], 2, 14) <= clock
    if absent and not affordable(reads, count.prefetches + prefetched, count.prefetch_hits, count.requests - count.hits) then
      dear = dear + 1
    elseif absent then
      local value, ttl = argv[places[i] + 1], tonumber(argv[places[i] + 2])
      redis.call('SET', key, string.format('p%013d%08d', now + ttl * 1000, number) .. value, 'PXAT', priority)
      prefetched = prefetched + 1
    end
  end
  redis.call('HINCRBY', STATE, 'plans', 1)
  redis.call('HINCRBY', STATE, 'prefetches', prefetched)
  redis.call('HINCRBY', STATE, 'evictions', evicted)
  redis.call('HSET', CREDIT, 'plan:' .. number, argv[2])
  redis.call('HDEL', CREDIT, 'plan:' .. (number - PLANS_KEPT), number - PLANS_KEPT)
  return {'applied', now, evicted, prefetched, kept_evict, kept_prefetch, dear}
end

-- aura_veto run plan_id: the plan is refused when it comes, unless it was carried out already. Returns 1 when it is in time.
local function veto(_, argv)
  if redis.call('HGET', STATE, 'run') ~= argv[1] or redis.call('HEXISTS', PLANS, argv[2]) == 1 then return 0 end
  remember(argv[2], 'vetoed', 0, 0)
  return 1
end

-- aura_rollback run: the levers are the baseline's again.
local function rollback(_, argv)
  if redis.call('HGET', STATE, 'run') ~= argv[1] then return 0 end
  redis.call('HINCRBY', POLICY, 'version', 1)
  redis.call('HDEL', POLICY, 'policy', 'plan_id', 'number')
  return 1
end

-- aura_apply run plan_id window planner apply_at expires_at policy evicts prefetches key... (key value ttl)...: one plan, once.
-- Returns status (applied, early, expired, duplicate, vetoed, foreign_run), event clock, effective evictions and prefetches, held-out ones,
-- and prefetches beyond the budget of backend reads.
local function apply(_, argv)
  local run, plan_id, apply_at, expires_at, policy = argv[1], argv[2], tonumber(argv[5]), tonumber(argv[6]), argv[7]
  local values = redis.call('HMGET', STATE, 'run', 'now', 'plans', 'requests')
  local state = {run = values[1], now = tonumber(values[2] or 0), plans = values[3] or 0, requests = values[4]}
  if not state.run or (run ~= '' and state.run ~= run) then return {'foreign_run', state.now, 0, 0, 0, 0, 0} end
  local done = redis.call('HGET', PLANS, plan_id)
  if done and string.sub(done, 1, 7) == 'vetoed,' then return {'vetoed', state.now, 0, 0, 0, 0, 0} end
  if done then
    local evicted, prefetched = string.match(done, ',(%d+),(%d+)$')
    return {'duplicate', state.now, tonumber(evicted), tonumber(prefetched), 0, 0, 0}
  end
  if apply_at and state.now < apply_at then return {'early', state.now, 0, 0, 0, 0, 0} end
  if expires_at and state.now > expires_at then return {'expired', state.now, 0, 0, 0, 0, 0} end
  local result = carry_out(argv, state, redis.call('HMGET', CONFIG, 'heldout', 'reads'))
  if policy ~= '' then
    redis.call('HINCRBY', POLICY, 'version', 1)
    redis.call('HSET', POLICY, 'policy', policy, 'plan_id', plan_id, 'number', tonumber(state.plans) + 1)
  end
  remember(plan_id, 'applied', result[3], result[4])
  return result
end

-- aura_probe now key...: which keys are in the arm and not past their TTL, as a bitmap; touches nothing.
local function probe(_, argv)
  local clock, bits = string.format('%013d', tonumber(argv[1])), {}
  for i = 2, #argv do bits[i - 1] = live(argv[i], clock) and '1' or '0' end
  return table.concat(bits)
end

-- Bytes of the tables that find keys and expiries.
local function tables()
  local stats, bytes = redis.call('MEMORY', 'STATS'), 0
  for i = 1, #stats, 2 do
    if stats[i] == 'db.0' then
      for j = 2, #stats[i + 1], 2 do bytes = bytes + stats[i + 1][j] end
    end
  end
  return bytes
end

-- aura_memory: bytes in use, those of plans that are remembered, and of tables; and items.
local function memory_now(_, _)
  local used = memory()
  local remembered = 0
  for _, key in ipairs({PLANS, PLAN_ORDER, CREDIT, POLICY}) do
    remembered = remembered + (redis.call('MEMORY', 'USAGE', key, 'SAMPLES', 0) or 0)
  end
  return {used, remembered, tables(), items()}
end

-- aura_state: run, seq, now, window, pressure, plans, items, then pairs of the state's counters.
local function state(_, _)
  return {redis.call('HGETALL', STATE), redis.call('HGETALL', WINDOWS), redis.call('HGETALL', POLICY),
    redis.call('HGETALL', CREDIT), items()}
end

-- A server that connections alone have filled must shrink to nothing, not refuse: so allow-oom. Redis still evicts first.
redis.register_function{function_name = 'aura_setup', callback = setup, flags = {'allow-oom'}}
redis.register_function{function_name = 'aura_batch', callback = batch, flags = {'allow-oom'}}
redis.register_function{function_name = 'aura_apply', callback = apply, flags = {'allow-oom'}}
redis.register_function{function_name = 'aura_veto', callback = veto, flags = {'allow-oom'}}
redis.register_function{function_name = 'aura_rollback', callback = rollback, flags = {'allow-oom'}}
redis.register_function{function_name = 'aura_probe', callback = probe, flags = {'no-writes'}}
redis.register_function{function_name = 'aura_memory', callback = memory_now, flags = {'no-writes'}}
redis.register_function{function_name = 'aura_state', callback = state, flags = {'no-writes'}}
