-- client.processes: what a folder can run.

return {
  name = "processes",
  help = "processes: what a folder can run",
  methods = {
    {
      name = "each", help = "iterates over the folder's processes", folder = true, iterates = true, paging = true, arguments = {},
      calls = { { "GET", "odata/Releases" } },
      run = function(client, options) return client:each("odata/Releases", options.call) end,
    },
  },
}
