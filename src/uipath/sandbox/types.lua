--- The entity types of Orchestrator: their properties in the service's order, each with its kind,
--- and the related entities that `$expand` adds. From the published definitions; properties that
--- are always empty here are left out.

local types = {}

--- Defines a type from a text of `Name:Kind` words.
local function define(name, properties, related)
  local entity = { name = name, type = "UiPath.Server.Configuration.OData." .. name,
    properties = {}, kinds = {}, related = related or {} }
  for property, kind in properties:gmatch("(%w+):(%w+)") do
    table.insert(entity.properties, property)
    entity.kinds[property] = kind
  end
  types[name] = entity
  return entity
end

define("SimpleRobotDto", [[
  Id:Int64 LicenseKey:String MachineName:String MachineId:Int64 Name:String Username:String
  ExternalName:String Description:String Type:Enum
]])

define("SimpleReleaseDto", [[
  Id:Int64 Key:Guid ProcessKey:String ProcessVersion:String IsLatestVersion:Boolean
  IsProcessDeleted:Boolean Description:String Name:String ProcessType:Enum
]])

define("QueueDefinitionDto", [[
  Id:Int64 Key:Guid Name:String Description:String MaxNumberOfRetries:Int32
  AcceptAutomaticallyRetry:Boolean EnforceUniqueReference:Boolean Encrypted:Boolean
  CreationTime:Date
]])

define("MachineDto", [[
  LicenseKey:String Name:String Description:String Type:Enum Scope:Enum NonProductionSlots:Int32
  UnattendedSlots:Int32 HeadlessSlots:Int32 TestAutomationSlots:Int32 HostingSlots:Int32
  AppTestSlots:Int32 PerformanceTestSlots:Int32 AutomationCloudSlots:Int32
  AutomationCloudTestAutomationSlots:Int32 Key:Guid EndpointDetectionStatus:Enum AutomationType:Enum
  TargetFramework:Enum Tags:List Id:Int64
]])

define("FolderDto", [[
  Key:Guid DisplayName:String FullyQualifiedName:String Description:String FolderType:Enum
  IsPersonal:Boolean ProvisionType:Enum PermissionModel:Enum ParentId:Int64 ParentKey:Guid
  FeedType:Enum Id:Int64
]])

define("JobDto", [[
  Key:Guid StartTime:Date EndTime:Date State:Enum SubState:String JobPriority:Enum
  SpecificPriorityValue:Int32 ResourceOverwrites:String Source:String SourceType:Enum
  BatchExecutionKey:Guid Info:String CreationTime:Date StartingScheduleId:Int64 ReleaseName:String
  Type:Enum InputArguments:String InputFile:Guid EnvironmentVariables:String OutputArguments:String
  OutputFile:Guid HostMachineName:String HasMediaRecorded:Boolean HasVideoRecorded:Boolean
  PersistenceId:Guid ResumeVersion:Int32 StopStrategy:Enum RuntimeType:Enum
  RequiresUserInteraction:Boolean ReleaseVersionId:Int64 EntryPointPath:String
  OrganizationUnitId:Int64 OrganizationUnitFullyQualifiedName:String Reference:String
  ProcessType:Enum ProfilingOptions:String ResumeOnSameContext:Boolean LocalSystemAccount:String
  OrchestratorUserIdentity:String RemoteControlAccess:Enum StartingTriggerId:Guid
  MaxExpectedRunningTimeSeconds:Int64 ServerlessJobType:Enum JobError:Complex ErrorCode:String
  Id:Int64
]], { Robot = types.SimpleRobotDto, Release = types.SimpleReleaseDto, Machine = types.MachineDto })

define("QueueItemDto", [[
  QueueDefinitionId:Int64 Encrypted:Boolean SpecificContent:Complex Output:Complex
  OutputData:String Status:Enum ReviewStatus:Enum ReviewerUserId:Int64 Key:Guid Reference:String
  ProcessingExceptionType:Enum DueDate:Date RiskSlaDate:Date Priority:Enum RobotId:Int64
  DeferDate:Date StartProcessing:Date EndProcessing:Date SecondsInPreviousAttempts:Int32
  AncestorId:Int64 RetryNumber:Int32 SpecificData:String CreationTime:Date Progress:String
  RowVersion:String OrganizationUnitId:Int64 OrganizationUnitFullyQualifiedName:String Id:Int64
]], { QueueDefinition = types.QueueDefinitionDto, Robot = types.SimpleRobotDto })

define("ReleaseDto", [[
  Key:String ProcessKey:String ProcessVersion:String IsLatestVersion:Boolean
  IsProcessDeleted:Boolean Description:String Name:String EntryPointId:Int64 EntryPointPath:String
  InputArguments:String EnvironmentVariables:String ProcessType:Enum
  SupportsMultipleEntryPoints:Boolean RequiresUserInteraction:Boolean IsAttended:Boolean
  IsCompiled:Boolean AutoUpdate:Boolean HiddenForAttendedUser:Boolean FeedId:Guid JobPriority:Enum
  SpecificPriorityValue:Int32 OrganizationUnitId:Int64 OrganizationUnitFullyQualifiedName:String
  TargetFramework:Enum Tags:List RemoteControlAccess:Enum LastModificationTime:Date
  CreationTime:Date Id:Int64
]])

define("ProcessDto", [[
  IsActive:Boolean SupportsMultipleEntryPoints:Boolean TargetFramework:Enum PackageType:Enum
  Title:String Version:String Key:String Description:String Published:Date
  IsLatestVersion:Boolean OldVersion:String Authors:String ProjectType:Enum Id:String
]])

define("ProcessScheduleDto", [[
  Key:Guid Enabled:Boolean Name:String ReleaseId:Int64 ReleaseKey:String ReleaseName:String
  EntryPointPath:String PackageName:String JobPriority:Enum RuntimeType:Enum
  StartProcessCron:String StartStrategy:Int32 StopStrategy:Enum TimeZoneId:String
  UseCalendar:Boolean InputArguments:String QueueDefinitionId:Int64 Description:String Tags:List
  RunAsMe:Boolean Id:Int64
]])

define("TestSetDto", [[
  Key:Guid Name:String Description:String SourceType:Enum OrganizationUnitId:Int64
  TestCaseCount:Int32 Enabled:Boolean CreationTime:Date Id:Int64
]])

define("TestSetExecutionDto", [[
  Name:String TestSetId:Int64 OrganizationUnitId:Int64 StartTime:Date EndTime:Date Status:Enum
  TriggerType:Enum BatchExecutionKey:Guid RunId:Int32 CreationTime:Date Id:Int64
]])

define("LogDto", [[
  Level:Enum WindowsIdentity:String ProcessName:String TimeStamp:Date Message:String JobKey:Guid
  RawMessage:String RobotName:String HostMachineName:String MachineId:Int64 RuntimeType:Enum
  Id:Int64
]])

define("AssetDto", [[
  Key:Guid Name:String CanBeDeleted:Boolean ValueScope:Enum ValueType:Enum Value:String
  StringValue:String BoolValue:Boolean IntValue:Int32 CredentialUsername:String
  CredentialPassword:String SecretValue:String ExternalName:String CredentialStoreId:Int64
  KeyValueList:List HasDefaultValue:Boolean Description:String Tags:List FoldersCount:Int32
  LastModificationTime:Date CreationTime:Date Id:Int64
]]).collections = { UserValues = true }

define("BucketDto", [[
  Name:String Description:String Identifier:Guid StorageProvider:String StorageParameters:String
  StorageContainer:String Options:Enum CredentialStoreId:Int64 FoldersCount:Int32 Tags:List
  Id:Int64
]])

define("AuditLogDto", [[
  ServiceName:String MethodName:String Component:Enum DisplayName:String EntityId:Int64
  OperationText:String UserName:String ExecutionTime:Date Action:Enum Id:Int64
]])

return types
