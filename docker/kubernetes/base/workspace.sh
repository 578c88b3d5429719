# Makes ./seqline a clone of a commit, branch or tag, with the bucket as its DVC remote. An existing clone is switched to the
# revision and keeps its DVC cache. It is a subfolder because the user does not own a volume's root, which Git would reject.
set -eu
mkdir -p seqline
cd seqline
git init --quiet
git fetch --quiet --depth 1 "$REPOSITORY" "$1"
git checkout --quiet --force FETCH_HEAD
dvc remote add --quiet --local --force --default cluster "s3://$S3_BUCKET/dvc"
