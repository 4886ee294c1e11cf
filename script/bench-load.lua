-- The requests of script/bench load and cost: wrk … -s bench-load.lua URL -- WHAT TAG [NAME=VALUE...]
-- WHAT is one of the functions of `make`, or a path that is asked for again and again. TAG makes
-- idempotency keys unlike those of other runs. Further arguments:
-- answered=FILE  gets the numbers of all answered orders
-- orders=FILE    has the numbers of orders, for what is asked of one
-- count=NUMBER   ends the run after about so many answers
-- Prints what script/bench-load.sh reads, in one line:
-- measured ANSWERS_PER_SECOND P50_MS P99_MS ANSWERED NON_2XX ERRORS WRITES_SENT
-- The rows that exist are those of lay_ground.
local first_user, users = 1001, 10000
local first_product, products = 1001, 5000
local reads_in_five = 4 -- Four reads, then one order, on average.

local host = wrk.host .. ":" .. wrk.port
local threads = {}
threads_count = 2 -- As script/bench runs wrk with more than one client.

local function post(path, body, headers)
    sent = sent + 1
    return "POST " .. path .. " HTTP/1.1\r\nHost: " .. host ..
        "\r\nContent-Type: application/json\r\n" .. headers ..
        "Content-Length: " .. #body .. "\r\n\r\n" .. body
end

local function get(path) return "GET " .. path .. " HTTP/1.1\r\nHost: " .. host .. "\r\n\r\n" end

local function user() return first_user + math.random(0, users - 1) end
local function product() return first_product + math.random(0, products - 1) end

local function order(product)
    return post("/api/v1/orders", '[{"user_id":' .. user() .. ',"products":[{"id":' .. product ..
        ',"quantity":1}],"paymentAmount":1000}]', "")
end

local make = {
    hot = function() return order(first_product) end,
    spread = function() return order(product()) end,
    mixed = function()
        if math.random(1, 5) > reads_in_five then return order(product()) end
        return get("/products/" .. product())
    end,
    product = function() return get("/products/" .. product()) end,
    balance = function() return get("/api/v1/users/" .. user()) end,
    user_orders = function() return get("/api/v1/users/" .. user() .. "/orders") end,
    user_payments = function() return get("/api/v1/users/" .. user() .. "/payments") end,
    placed_order = function() return get("/api/v1/orders/" .. known[math.random(#known)]) end,
    -- Each order once: the threads take turns in the file.
    cancel = function()
        local order = known[sent * threads_count + number]
        return post("/api/v1/orders/" .. order .. "/cancel", "",
            "Idempotency-Key: " .. tag .. "-" .. order .. "\r\n")
    end,
    charge = function()
        return post("/api/v1/users/" .. user() .. "/charge", '[{"chargeAmount":1000}]',
            "Idempotency-Key: " .. tag .. "-" .. number .. "-" .. sent .. "\r\n")
    end,
}

function setup(thread)
    table.insert(threads, thread)
    thread:set("number", #threads)
end

-- wrk itself ends by time only, or by the signal that a terminal sends.
local function end_run()
    local ffi = require("ffi")
    ffi.cdef("int getpid(void); int kill(int, int);")
    ffi.C.kill(ffi.C.getpid(), 2)
end

function init(arguments)
    local options = {}
    for i = 3, #arguments do
        local name, value = arguments[i]:match("^(%l+)=(.*)$")
        options[name] = value
    end
    what, tag, file = arguments[1], arguments[2], options.answered
    sent, answers, known = 0, {}, {}
    math.randomseed(os.time() * 16 + (number or 0))
    if options.orders then
        for line in io.lines(options.orders) do known[#known + 1] = line end
    end
    local next_request = make[what] or function() return get(what) end
    request = function() return next_request() end
    if file then
        response = function(_, _, body)
            answers[#answers + 1] = body:match('"orderId": ?"(%d+)"') or "none"
        end
    elseif options.count then
        local left = math.ceil(options.count / threads_count)
        response = function()
            left = left - 1
            if left == 0 then end_run() end
        end
    end
end

function done(summary, latency, requests)
    local errors, writes = summary.errors, 0
    local path = threads[1]:get("file")
    local out = path and assert(io.open(path, "w"))
    for _, thread in ipairs(threads) do
        writes = writes + thread:get("sent")
        if out then out:write(table.concat(thread:get("answers"), "\n"), "\n") end
    end
    if out then out:close() end
    print(string.format("measured %.1f %.3f %.3f %d %d %d %d",
        summary.requests / summary.duration * 1e6,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        summary.requests, errors.status,
        errors.timeout + errors.connect + errors.read + errors.write, writes))
end
