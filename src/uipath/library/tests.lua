---@meta uipath
-- What editors know of client.tests. Nothing of this is run; spec/recipes_tests_spec.lua compares it with the group.

---A key such as `"DEMO:42"`, a name in a project, a row of `client.tests:sets()`, or one of Orchestrator's own in its folder.
---@alias uipath.TestSet string|{ project: string, name: string }|{ orchestrator: string|integer }|table

---What came of a run. A red one is a value, not an error.
---@class uipath.TestRun
---@field passed boolean the execution is Finished, has a case at least, and every case has Passed
---@field status string such as "Finished", "Running", "Cancelled"
---@field counts { total: integer, passed: integer, failed: integer, none: integer, restricted: integer }
---@field cases uipath.TestCase[]
---@field id string|integer
---@field ref string for `client.tests:result` and `luipath tests result`
---@field url? string for people
---@field seconds? number
---@field name? string
---@field test_set? string its key
---@field project? string its prefix
---@field started? string
---@field robots? string

---What is not known is nil.
---@class uipath.TestCase
---@field key? string such as "DEMO:7"
---@field name? string
---@field result string "Passed", "Failed", "None" (lost) or "Restricted"
---@field seconds? number
---@field reason? string
---@field assertions? { message?: string, passed?: boolean }[] of a failed case
---@field note? string why a failed case has none
---@field url? string
---@field robot? string

---@class uipath.TestRunOptions : uipath.TestWaitOptions
---@field parameters? table<string, any> of the set, for everybody while it runs; put back afterwards, whatever comes of it

---@class uipath.TestWaitOptions : uipath.RecipeOptions
---@field timeout? number seconds of the whole wait, default 14400; the run goes on afterwards
---@field poll? number seconds between two questions; default: from 5 growing to 30
---@field junit? string a file, which is written whole or not at all, and red wherever the verdict is
---@field assertions? integer of so many failed cases they are fetched, default 200
---@field on_progress? fun(done: integer, total: integer, failed: integer?)
---@field on_start? fun(ref: string, url: string?)

---@class uipath.TestResultOptions : uipath.RecipeOptions
---@field wait? number seconds to wait for the end of a run that goes on
---@field poll? number
---@field junit? string
---@field assertions? integer
---@field on_progress? fun(done: integer, total: integer, failed: integer?)

---@class uipath.Tests
local Tests = {}

---Runs a test set and waits for its verdict. A start whose answer was lost is never repeated: `err.uncertain` says that it may have been
---done, and the error names the new runs, none of which is certainly ours. Where the time is over `err.kind` is "timeout", and
---`err.run.ref` is how the run is taken up again.
---@param test_set uipath.TestSet
---@param options? uipath.TestRunOptions
---@return uipath.TestRun? run
---@return uipath.Error? err
function Tests:run(test_set, options) end

---What came of a run, or how far it is.
---@param ref string|uipath.TestRun|{ project: string, id: string }
---@param options? uipath.TestResultOptions
---@return uipath.TestRun? run
---@return uipath.Error? err
function Tests:result(ref, options) end

---Runs the failed cases of a run once more.
---@param run uipath.TestRun
---@param options? uipath.TestWaitOptions
---@return uipath.TestRun? run
---@return uipath.Error? err
function Tests:rerun(run, options) end

---A run as the text of a JUnit file.
---@param run uipath.TestRun
---@param options? uipath.RecipeOptions
---@return string
function Tests:junit(run, options) end

---@param options? { project?: string }
---@return fun(): table?, integer?
function Tests:sets(options) end

---@param test_set uipath.TestSet
---@param options? uipath.RecipeOptions
---@return fun(): table?, integer?
function Tests:cases(test_set, options) end

---The newest first.
---@param test_set uipath.TestSet
---@param options? uipath.RecipeOptions
---@return fun(): table?, integer?
function Tests:executions(test_set, options) end

---@param case uipath.TestCase
---@param options? uipath.RecipeOptions
---@return table[]? attachments each for `client:download`
---@return uipath.Error? err
function Tests:attachments(case, options) end

---Writes results of another tool as a run.
---@param test_set uipath.TestSet
---@param results { case: string, result: "Passed"|"Failed"|"None"|"Restricted", reason?: string }[]
---@param options? { junit?: string }
---@return uipath.TestRun? run
---@return uipath.Error? err
function Tests:report(test_set, results, options) end
