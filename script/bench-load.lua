-- The requests of script/bench load: wrk … -s bench-load.lua URL -- WHAT TAG
-- WHAT is one of the functions of `make`; TAG makes idempotency keys unlike those of other runs.
-- With a third argument, the path of a file, the numbers of all answered orders go there.
-- Prints what script/bench-load.sh reads, in one line:
-- measured ANSWERS_PER_SECOND P50_MS P99_MS ANSWERED NON_2XX ERRORS WRITES_SENT
-- The rows that exist are those of lay_ground.
local first_user, users = 1001, 10000
local first_product, products = 1001, 5000
local reads_in_five = 4 -- Four reads, then one order, on average.

local host = wrk.host .. ":" .. wrk.port
local threads = {}

local function post(path, body, headers)
    sent = sent + 1
    return "POST " .. path .. " HTTP/1.1\r\nHost: " .. host ..
        "\r\nContent-Type: application/json\r\n" .. headers ..
        "Content-Length: " .. #body .. "\r\n\r\n" .. body
end

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
        return "GET /products/" .. product() .. " HTTP/1.1\r\nHost: " .. host .. "\r\n\r\n"
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

function init(arguments)
    what, tag, file = arguments[1], arguments[2], arguments[3]
    sent, answers = 0, {}
    math.randomseed(os.time() * 16 + (number or 0))
    local next_request = make[what]
    request = function() return next_request() end
    if file then
        response = function(_, _, body)
            answers[#answers + 1] = body:match('"orderId": ?"(%d+)"') or "none"
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
