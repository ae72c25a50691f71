# Installs irisdrop from the folder that this script lies in, as an administrator:
#     powershell -ExecutionPolicy Bypass -File install.ps1
# Upgrades too: the service is stopped, its files are replaced, and it is started again. Journal, spool and
# configuration in %ProgramData%\irisdrop stay. `-Remove` takes the program out and leaves those.
param([switch]$Remove)
$ErrorActionPreference = 'Stop'
$source = Join-Path $PSScriptRoot 'irisdrop'
$target = Join-Path $env:ProgramFiles 'irisdrop'
$data = Join-Path $env:ProgramData 'irisdrop'
$exe = Join-Path $target 'irisdrop.exe'
$config = Join-Path $data 'irisdrop.yaml'

function Invoke-Irisdrop { & $exe @args; if ($LASTEXITCODE) { throw "irisdrop $args failed" } } # a program's end stops no script

if (Get-Service irisdrop -ErrorAction SilentlyContinue) {
    Stop-Service irisdrop
    (Get-Service irisdrop).WaitForStatus('Stopped', '00:00:30')
}
if ($Remove) {
    if (Test-Path $exe) { Invoke-Irisdrop service uninstall }
    if (Test-Path $target) { Remove-Item -Recurse $target }
    Write-Output "irisdrop is removed; $data stays."
    exit 0
}
if (Test-Path $target) { Remove-Item -Recurse $target }
Copy-Item -Recurse $source $target
New-Item -ItemType Directory -Force $data | Out-Null
$path = [Environment]::GetEnvironmentVariable('Path', 'Machine')
if ($path -notlike "*$target*") { [Environment]::SetEnvironmentVariable('Path', "$path;$target", 'Machine') }
[Environment]::SetEnvironmentVariable('IRISDROP_CONFIG', $config, 'Machine')
if (-not (Test-Path $config)) {
    Write-Output "Write $config (README.md shows the first one), then: irisdrop check; irisdrop service install; irisdrop service start"
    exit 0
}
if (-not (Get-Service irisdrop -ErrorAction SilentlyContinue)) { Invoke-Irisdrop --config $config service install }
Invoke-Irisdrop --config $config service start
