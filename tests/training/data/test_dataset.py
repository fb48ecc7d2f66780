"""Columns become features: all, a selection, or those of a model."""

from __future__ import annotations

import pytest

from app.model.schema import Features
from training.data.compared_files import read_files_to_compare
from training.data.dataset import check_label, read_features, read_test_data, read_training_data
from training.data.tables import open_csv_file
from training.errors import BadArgument, BadData

TABLE = "id,mean,sd\n7,1,2\n8,3,4\n"


def test_all_columns_become_features(write_csv):
    """The names and their order are those of the file."""
    dataset = read_training_data(write_csv(TABLE))

    assert dataset.names == dataset.columns == ("id", "mean", "sd")
    assert dataset.rows.tolist() == [[7, 1, 2], [8, 3, 4]]
    assert len(dataset) == 2


def test_columns_are_chosen_or_dropped(write_csv):
    """Chosen columns keep the requested order."""
    path = write_csv(TABLE)

    assert read_training_data(path, features=["sd", "mean"]).rows.tolist() == [[2, 1], [4, 3]]
    assert read_training_data(path, drop=["id"]).names == ("mean", "sd")


def test_constant_column_is_accepted(write_csv):
    """The forest never splits it, so no message is needed."""
    assert read_training_data(write_csv("a,b\n1,2\n1,3\n")).names == ("a", "b")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"features": ["mean", "median"]}, "--features: .*rows.csv has no column median; its columns are id, mean, sd"),
        ({"drop": ["date"]}, "--drop: .*rows.csv has no column date; its columns are id, mean, sd"),
        ({"features": ["sd", "sd"]}, "--features names sd twice"),
        ({"drop": ["id", "mean", "sd"]}, "--drop leaves no column"),
    ],
)
def test_invalid_choice_of_columns_is_refused(write_csv, choice, message):
    """The message lists the existing columns."""
    with pytest.raises(BadArgument, match=message):
        read_training_data(write_csv(TABLE), **choice)


def test_too_many_columns_are_refused(write_csv):
    """256 columns are accepted, 257 are not."""
    header = ",".join(f"f{number}" for number in range(257))
    path = write_csv(f"{header}\n" + f"{','.join('1' * 257)}\n" * 2)

    with pytest.raises(BadArgument, match="has 257 columns to train on, at most 256"):
        read_training_data(path)
    assert len(read_training_data(path, drop=["f0"]).names) == 256


@pytest.mark.parametrize(("body", "count"), [("", "no rows below its header"), ("1,2\n", "only 1 row;")])
def test_too_few_rows_are_refused(write_csv, body, count):
    """A single row cannot be isolated from others."""
    with pytest.raises(BadData, match=f"has {count}.* training needs at least 2"):
        read_training_data(write_csv(f"a,b\n{body}"))


def test_test_columns_are_matched_by_name(write_csv):
    """In any order, and with or without the dropped columns."""
    training = read_training_data(write_csv(TABLE), drop=["id"])

    for content in ("sd,mean\n2,1\n", "sd,id,mean\n2,x,1\n"):
        assert read_test_data(write_csv(content, "test.csv"), training).rows.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("mean\n1\n", "test.csv has no column sd, which the model was trained on; its columns are mean"),
        ("mean,sd,age\n1,2,3\n", "test.csv has a column age which .*rows.csv does not have"),
        ("mean,sd\n", "test.csv has no rows below its header"),
    ],
)
def test_different_test_columns_are_refused(write_csv, content, message):
    """A test with other columns says nothing about the model."""
    training = read_training_data(write_csv(TABLE), drop=["id"])

    with pytest.raises(BadData, match=message):
        read_test_data(write_csv(content, "test.csv"), training)


def test_features_of_a_model_are_selected(write_csv):
    """A file to score may have a single row, and columns that training did not have."""
    dataset = read_features(open_csv_file(write_csv("note,sd,mean\nhello,2,1\n")), Features.of_names(("mean", "sd")))

    assert dataset.rows.tolist() == [[1, 2]]


def test_compared_files_are_matched_by_column_name(write_csv):
    """They may have more columns and any number of rows; the comparison checks the number."""
    first, second = write_csv(TABLE), write_csv("sd,note,mean\n2,hello,1\n", "current.csv")

    reference, current = read_files_to_compare(first, second, drop=["id"])

    assert reference.names == current.names == ("mean", "sd")
    assert reference.rows.tolist() == [[1, 2], [3, 4]]
    assert current.rows.tolist() == [[1, 2]]
    assert len(read_files_to_compare(write_csv("mean\n", "empty.csv"), second)[0]) == 0
    assert read_files_to_compare(first, second, features=["sd"])[1].rows.tolist() == [[2]]


def test_column_missing_from_a_compared_file_is_reported(write_csv):
    """With both files, and what to do."""
    first, second = write_csv(TABLE), write_csv("mean\n1\n", "current.csv")

    with pytest.raises(BadData, match=r"current.csv has no column sd, which .*rows.csv has; leave it out with --drop"):
        read_files_to_compare(first, second, drop=["id"])


def test_label_is_not_a_feature(write_csv):
    """It is read separately, whether or not it is listed among the dropped columns."""
    path = write_csv("mean,fraud,sd\n1,0,2\n3,1,4\n")

    for drop in (None, ["fraud"]):
        dataset = read_training_data(path, drop=drop, label="fraud")
        assert dataset.names == ("mean", "sd")
        assert dataset.rows.tolist() == [[1, 2], [3, 4]]
        assert dataset.labels.is_outlier.tolist() == [False, True]
    assert read_training_data(path).names == ("mean", "fraud", "sd")


def test_label_may_be_in_one_file_only(write_csv):
    """Training data without labels and test data with labels, or the reverse."""
    with_label = write_csv("mean,fraud\n1,0\n3,1\n")
    without = write_csv("mean\n1\n3\n", "other.csv")

    trained_without = read_training_data(without, label="fraud")
    assert trained_without.labels is None
    tested_with = read_test_data(with_label, trained_without, "fraud")
    assert tested_with.labels.is_outlier.tolist() == [False, True]
    check_label("fraud", trained_without, tested_with)

    trained_with = read_training_data(with_label, label="fraud")
    assert read_test_data(without, trained_with, "fraud").labels is None
    check_label("fraud", trained_with, None)


def test_unknown_label_is_refused(write_csv):
    """Otherwise a mistyped name would silently give no figures."""
    data = read_training_data(write_csv("mean\n1\n3\n"), label="fraud")

    with pytest.raises(BadArgument, match=r"--label: .*rows.csv has no column fraud; name an existing column"):
        check_label("fraud", data, None)
    with pytest.raises(BadArgument, match=r"--label: neither .*rows.csv nor .*rows.csv has a column fraud"):
        check_label("fraud", data, data)
    check_label(None, data, None)


def test_label_among_the_features_is_refused(write_csv):
    """The model would learn from the answer."""
    path = write_csv("mean,fraud\n1,0\n3,1\n")

    with pytest.raises(BadArgument, match="--features names fraud, the column of --label"):
        read_training_data(path, features=["mean", "fraud"], label="fraud")
    with pytest.raises(BadArgument, match="--label fraud is a feature of the model"):
        read_features(open_csv_file(path), Features.of_names(("mean", "fraud")), "fraud")
