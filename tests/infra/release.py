"""How infra/deploy.sh downloads and verifies a release, with stand-ins for curl and gh. Used by scripts.py."""

import hashlib
import shutil
import tempfile
from pathlib import Path

ZIP = "diskseal-linux-x86_64.zip"


def check_all(run, check, repository):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        copy.mkdir()
        shutil.copytree(repository / "infra", copy / "infra")
        told = copy / "told"
        sums = hashlib.sha256(b"zip").hexdigest()
        # curl -fsSL --retry 3 -o FILE URL
        curl = f'echo "curl $6" >>{told}\ncase $6 in *SHA256SUMS) echo "$SUMS  {ZIP}" ;; *) printf zip ;; esac >"$5"'
        gh = f'echo "gh $*" >>{told}\nexit "$ATTESTED"'

        def deploy(cargo='repository = "https://github.com/owner/name"\n', digest=sums, attested="0", tools=("curl", "gh"), options=("--version", "v1.2.3")):
            told.write_text("")
            (copy / "Cargo.toml").write_text(f'[package]\nname = "diskseal"\n{cargo}')
            shutil.rmtree(copy / "dist", ignore_errors=True)
            stand_ins = {name: text for name, text in (("curl", curl), ("gh", gh)) if name in tools}
            code, said, calls = run("deploy.sh", "--location", "westeurope", "alertEmails=none", *options, repository=copy, tools=stand_ins, environment={"SUMS": digest, "ATTESTED": attested})
            deploy.parameters = next((call for call in calls if "main.bicep" in call), "")
            return code, said, [call for call in calls if "config-zip" in call], told.read_text()

        code, said, sent, asked = deploy()
        check("a release is downloaded from the repository of Cargo.toml, verified, and deployed", code == 0 and sent and f"--src dist/v1.2.3/{ZIP}" in sent[0], said)
        check("... by its sums and its attestation", f"https://github.com/owner/name/releases/download/v1.2.3/{ZIP}" in asked and f"gh attestation verify dist/v1.2.3/{ZIP} --repo owner/name" in asked, asked)
        check("... and alerts link to the runbook there", "https://github.com/owner/name/blob/HEAD/docs/runbook.md" in deploy.parameters, deploy.parameters)
        code, said, sent, _ = deploy(digest="0" * 64)
        check("a package that SHA256SUMS does not list is not deployed", code == 1 and not sent and "SHA256SUMS" in said, said)
        code, said, sent, _ = deploy(attested="1")
        check("a package without an attestation is not deployed", code == 1 and not sent and "attestation" in said, said)
        code, said, sent, _ = deploy(cargo="")
        check("without a repository in Cargo.toml no release is downloaded", code == 1 and not sent and "names no repository" in said, said)
        code, said, sent, _ = deploy(options=("--version", "v1.2.3", "--package", "other.zip"))
        check("a release and a package exclude each other", code == 1 and not sent and "exclude" in said, said)
