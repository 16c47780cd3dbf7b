-- A status of 2xx whose body says that what was to be done was not, or not all of it.

local assert = require "luassert"
local replies = require "spec.support.replies"
local command = require "spec.support.command"
local uipath = require "uipath"

local server, client

setup(function()
  server = replies.start()
  client = server:client()
end)
teardown(function() server:stop() end)

-- What a call comes to when it is answered so.
local function answered(method, body, status, changes)
  server:answer { status = status, body = body }
  return server:client(changes):request(method, "odata/Anything")
end

local UPLOAD = '{"value":[{"Key":"A.1.nupkg","Status":"OK","Body":"{}"},{"Key":"B.1.nupkg","Status":%s,"Body":%s}]}'

describe("an answer with 2xx is an error of kind failed:", function()
  -- what, body, message, code
  local rows = {
    { "items that were refused with words", '{"@odata.context":"c","Success":false,"Message":"Not all were added.","FailedItems":['
      .. '{"Ordinal":0,"ErrorCode":"DuplicateReference","ErrorMessage":"Reference is in use.","Reference":"7","SpecificContent":{"a":1}},'
      .. '{"Ordinal":null,"ErrorCode":1016,"ErrorMessage":"Too long."}]}',
      "Not all were added. Reference is in use.; Too long.", "DuplicateReference" },
    { "items that were refused, by their ids", '{"Success":false,"Message":"Not deleted","FailedItems":[17,18]}', "Not deleted: 17, 18" },
    { "by their keys", '{"Success":false,"Message":null,"FailedItems":["a0b1c2d3-4567-89ab-cdef-0123456789ab"]}',
      "a0b1c2d3-4567-89ab-cdef-0123456789ab" },
    { "no items, and no words", '{"Success":false,"Message":null,"FailedItems":[]}', "the operation did not succeed" },
    { "items without words", '{"Success":false,"FailedItems":[{"Ordinal":1,"ErrorCode":"Busy","ErrorMessage":null}]}', "Busy", "Busy" },
    { "items with a code that is a number, and no words",
      '{"Success":false,"FailedItems":[{"Ordinal":1,"ErrorCode":1016,"ErrorMessage":null}]}',
      "Ordinal 1: code 1016", 1016 },
    { "items that are but rows", '{"Success":false,"Message":"No","FailedItems":[{"Id":7,"x":1},{"Name":"a"}]}', "No: Id 7; Name a" },
    { "texts", '{"isSuccess":false,"errors":["Too long.","Not here."]}', "Too long.; Not here." },
    { "isSuccess", '{"isSuccess":false,"errorMessage":"The entity is read only.","errorCode":77}', "The entity is read only.", 77 },
    { "success, in the envelope of an error", '{"result":null,"success":false,"error":{"code":12,"message":"Not now.","details":"Wait."},'
      .. '"__abp":true}', "Not now. Wait.", 12 },
    { "rows with an error code", '[{"taskId":1,"errorCode":null,"errorMessage":null},{"taskId":2,"errorCode":2401,"errorMessage":"No such '
      .. 'task."},{"taskId":3,"errorCode":"Locked","errorMessage":"In use."}]', "No such task.; In use.", 2401 },
    { "the same inside", '{"@odata.context":"c","value":[{"taskId":2,"errorCode":2401,"errorMessage":"No such task."}]}', "No such task.",
      2401 },
    { "result.succeeded", '{"result":{"succeeded":false,"errors":[{"code":"InvalidEmail","description":"No address."}]},"users":[]}',
      "No address.", "InvalidEmail" },
    { "succeeded", '{"succeeded":false,"errors":[{"code":"InvalidEmail","description":"No address."}]}', "No address.", "InvalidEmail" },
    { "succeeded, with fields", '{"succeeded":false,"errors":{"email":["No address."]}}', "email: No address." },
    { "a file's status as a name", UPLOAD:format('"BadRequest"', '"not taken"'), "B.1.nupkg: not taken" },
    { "a file's status as a number", UPLOAD:format("409", '"there already"'), "B.1.nupkg: there already" },
    { "a file's status as a numeral", UPLOAD:format('"413"', '"too large"'), "B.1.nupkg: too large" },
    { "a file's status without words", UPLOAD:format('"Conflict"', "null"), "B.1.nupkg: Conflict" },
    { "a file's status with an error object as text", UPLOAD:format('"Forbidden"', [["{\"message\":\"Not yours.\",\"errorCode\":5}"]]),
      "B.1.nupkg: Not yours." },
    { "a file's status with an error object", UPLOAD:format('"Forbidden"', '{"message":"Not yours."}'), "B.1.nupkg: Not yours." },
  }
  for _, row in ipairs(rows) do
    it(row[1], function()
      for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
        for _, status in ipairs { 200, 201, 207 } do
          local value, err = answered(method, row[2], status)
          assert.is_nil(value)
          assert.is_true(uipath.is_error(err))
          assert.same({ "failed", status, row[3], row[4], false }, { err.kind, err.status, err.message, err.code, err.retryable })
          assert.same(assert(uipath.json.decode(row[2])), err.body)
        end
      end
    end)
  end

  it("every status of .NET's from 400 on", function()
    for _, name in ipairs { "Unauthorized", "NotFound", "RequestEntityTooLarge", "UnsupportedMediaType", "UnprocessableEntity", "Locked",
                            "TooManyRequests", "InternalServerError", "ServiceUnavailable", "HttpVersionNotSupported",
                              "InsufficientStorage" } do
      local value, err = answered("POST", UPLOAD:format('"' .. name .. '"', '"x"'))
      assert.is_nil(value)
      assert.equal("B.1.nupkg: x", err.message)
    end
  end)

  it("of many items the first few are told, and how many there are besides", function()
    local items = {}
    for i = 1, 5000 do items[i] = ('{"Ordinal":%d,"ErrorCode":1,"ErrorMessage":"Refused %d."}'):format(i, i) end
    local _, err = answered("POST", '{"Success":false,"FailedItems":[' .. table.concat(items, ",") .. "]}")
    assert.matches("^Refused 1%.; Refused 2%.; .*, and 4990 more$", err.message)
    assert.equal(5000, #err.body.FailedItems)
  end)

  it("words that all items share are said once", function()
    local _, err = answered("POST",
      '{"Success":false,"FailedItems":[{"ErrorMessage":"No."},{"ErrorMessage":"No."},{"ErrorMessage":"Never."}]}')
    assert.equal("No.; Never.", err.message)
  end)

  it("with nulls dropped, too", function()
    local value, err = answered("POST", '[{"taskId":2,"errorCode":2401,"errorMessage":null}]', 200, { nulls = "drop" })
    assert.is_nil(value)
    assert.equal("failed", err.kind)
    for _, name in ipairs { "value", "result" } do
      local body = ('{"%s":[{"errorCode":null,"errorMessage":null},{"errorCode":1234,"errorMessage":null}]}'):format(name)
      for _, nulls in ipairs { "keep", "drop" } do
        value, err = answered("POST", body, 200, { nulls = nulls })
        assert.is_nil(value)
        assert.same({ "failed", 1234 }, { err.kind, err.code })
      end
      assert.same({ [name] = { {}, { errorCode = 1234 } } }, err.body)
    end
  end)
end)

describe("an answer with 2xx is a value:", function()
  local values = {
    ["Success"] = '{"Success":true,"Message":"","FailedItems":[]}',
    ["error codes that are none"] = '[{"taskId":1,"errorCode":null,"errorMessage":null},{"taskId":2,"errorCode":0,"errorMessage":""},'
      .. '{"taskId":3,"errorCode":"","errorMessage":""}]',
    ["IsValid"] = '{"IsValid":false,"Errors":["No robot."],"ErrorCodes":["RobotBusy"]}',
    ["a transaction that was started"] =
      '{"Id":5,"Key":"a0b1c2d3-4567-89ab-cdef-0123456789ab","Status":"InProgress","ProcessingException":null}',
    ["the result of a transaction"] = '{"IsSuccessful":false,"ProcessingException":{"Reason":"Bad total","Type":"BusinessException"},'
      .. '"Key":"k","Status":"Failed"}',
    ["rows at work"] = UPLOAD:format('"Processing"', "null"),
    ["rows of other statuses"] = '{"value":[{"Key":"k","Status":"Failed"},{"Key":"l","Status":"Faulted"},{"Key":"m","Status":"Found"}]}',
    ["a status without a key"] = '{"value":[{"Id":1,"Status":"NotFound"},{"Id":2,"Status":"Conflict"}]}',
    ["jobs with an error of their own"] = '{"value":[{"Id":1,"State":"Faulted","ErrorCode":"Robot","Info":"x","JobError":{"code":"1"}}]}',
    ["statuses below 400"] = '{"value":[{"Key":"a","Status":"OK"},{"Key":"b","Status":"Created"},{"Key":"c","Status":"Accepted"},'
      .. '{"Key":"d","Status":"AlreadyReported"},{"Key":"e","Status":208},{"Key":"f","Status":"Ambiguous"}]}',
    ["words of success as text"] = '{"Success":"false","result":{"succeeded":true}}',
    ["a text"] = '"Success:false"',
    ["a list of nothing"] = "[]",
  }
  for what, body in pairs(values) do
    it(what, function()
      local value, response = answered("POST", body)
      assert.same(assert(uipath.json.decode(body)), value)
      assert.equal(200, response.status)
    end)
  end

  it("a row with an error code and no member for words, whether nulls are kept or dropped", function()
    for _, nulls in ipairs { "keep", "drop" } do
      local value, response = answered("POST", values["jobs with an error of their own"], 200, { nulls = nulls })
      assert.same(assert(uipath.json.decode(values["jobs with an error of their own"])), value)
      assert.equal(200, response.status)
    end
  end)

  it("anything that a GET shows", function()
    for _, body in ipairs { '{"Success":false,"FailedItems":[1]}', '[{"errorCode":5,"errorMessage":"x"}]', UPLOAD:format('"Conflict"',
      '"x"') } do
      assert.same(assert(uipath.json.decode(body)), (answered("GET", body)))
    end
    assert.equal(200, select(2, assert(client:request("HEAD", "odata/Anything"))).status)
  end)
end)

describe("in the shell", function()
  it("such an answer ends with 1 and its words", function()
    server:answer { body = '{"Success":false,"Message":"Not all were deleted.","FailedItems":[17]}' }
    local result = command.luipath({ "post", "odata/X", "--body", "{}" }, {
      environment = { UIPATH_URI = server.url, UIPATH_ORGANIZATION = "o", UIPATH_TENANT = "T", UIPATH_PAT = "rt_x" },
    })
    assert.equal(1, result.code)
    assert.equal("", result.output)
    assert.matches("Not all were deleted%. 17\n$", result.errors)
  end)
end)
