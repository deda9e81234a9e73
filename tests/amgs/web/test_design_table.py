"""Pasted tables of a design: read, refused with their place, and written back."""

from __future__ import annotations

import io

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import strategies as st

from amgs.core.errors import Refused
from amgs.repository.models import Animal
from amgs.web import design_book, design_table


def test_tabs_and_commas_are_both_understood():
    for mark in ("\t", ","):
        text = f"name{mark}sex{mark}age weeks\nm1{mark}female{mark}9\n\nm2{mark}{mark}"
        assert design_table.animals(text) == [
            {"name": "m1", "sex": "female", "age_weeks": 9.0},
            {"name": "m2"},
        ]


def test_time_points_are_those_of_every_animal_unless_they_name_one():
    animals = [{"name": "m1"}, {"name": "m2"}]
    assert design_table.observations("name\thours_after_procedure\nafter\t4", animals) == [
        {"animal": "m1", "name": "after", "hours_after_procedure": 4.0},
        {"animal": "m2", "name": "after", "hours_after_procedure": 4.0},
    ]
    assert design_table.observations("animal\tname\nm2\tafter", animals) == [
        {"animal": "m2", "name": "after"}
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name\tcolour\nm1\tgrey", "a column “colour”, which is not known"),
        ("name\nm1\tfemale", "line 2 has 2 cells"),
        ("name\tname\nm1\tm1", "names a column twice"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_its_place(text, sentence):
    with pytest.raises(Refused) as refused:
        design_table.animals(text)
    assert sentence in refused.value.sentence
    assert refused.value.field == "animals"


def test_a_number_that_is_none_is_left_for_the_check_to_name():
    assert design_table.animals("name\tage_weeks\nm1\tyoung")[0]["age_weeks"] == "young"


NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)


@given(st.lists(NAMES, min_size=1, max_size=6, unique=True), st.integers(0, 200))
def test_what_is_written_is_read_again(names, age):
    design = {
        "groups": [{"name": "alpha", "treatment": {"drug": "vehicle"}}],
        "animals": [
            {"name": name, "group": "alpha", "cage": None, "metadata": {"age_weeks": float(age)}}
            for name in names
        ],
        "observations": [{"animal": name, "name": "after", "metadata": {}} for name in names],
    }
    texts = design_table.texts(design)
    animals = design_table.animals(texts["animals"])
    assert [row["name"] for row in animals] == names
    assert {row["age_weeks"] for row in animals} == {age}
    assert design_table.groups(texts["groups"])[0]["treatment"] == {"drug": "vehicle"}
    assert design_table.observations(texts["observations"], animals) == [
        {"animal": name, "name": "after"} for name in names
    ]


def test_every_fault_is_told_with_its_row_and_column():
    found = design_table.problems(
        {
            "groups": "name\tdose\nalpha\tmuch",
            "animals": "name\tgroup\tsex\n\nm1\tbeta\tfemale\nm1\talpha\tmale\n\talpha\tmale",
            "observations": "animal\tname\nm1\tafter\nm7\tafter",
        }
    )
    told = [(row.file, row.row, row.column) for row in found]
    assert told == [
        ("Animals", 3, "group"),
        ("Animals", 4, "name"),
        ("Animals", 5, "name"),
        ("Time points", 3, "animal"),
        ("Groups", 2, "dose"),
    ]
    assert "“beta” is not among the groups" in found[0].sentence


def test_a_filled_template_comes_back_as_it_was():
    texts = {
        "groups": "name\tdrug\tdose\nalpha\tvehicle\t0.5",
        "animals": "name\tgroup\tcoat\n=m1\talpha\twhite\nm2\talpha\tblack",
        "observations": "name\thours_after_procedure\nafter\t-4",
    }
    filled = design_book.read("design.xlsx", design_book.template(texts))
    assert filled.dataset is None
    found = filled.tables
    assert design_table.animals(found["animals"]) == design_table.animals(texts["animals"])
    assert design_table.groups(found["groups"]) == design_table.groups(texts["groups"])
    times = [
        design_table.observations(each["observations"], [{"name": "x"}]) for each in (found, texts)
    ]
    assert times[0] == times[1]
    assert design_table.problems(found) == []


def test_the_template_explains_every_column_and_offers_its_terms():
    book = openpyxl.load_workbook(io.BytesIO(design_book.template({})))
    assert book.sheetnames == [*(title for title, _ in design_table.TABLES.values()), "Columns"]
    for title, columns in design_table.TABLES.values():
        assert [cell.value for cell in book[title][1]] == list(columns)
        for choice in book[title].data_validations.dataValidation:
            assert len(choice.formula1) < 255  # Excel takes no longer list
    explained = {(row[0], row[1]) for row in book["Columns"].iter_rows(min_row=2, values_only=True)}
    wanted = {(title, name) for title, names in design_table.TABLES.values() for name in names}
    assert explained == wanted


@pytest.mark.parametrize("data", [b"", b"no zip", openpyxl.Workbook])
def test_what_is_no_filled_template_is_refused(data):
    if not isinstance(data, bytes):
        target = io.BytesIO()
        data().save(target)
        data = target.getvalue()
    with pytest.raises(Refused) as refused:
        design_book.read("notes.xlsx", data)
    assert refused.value.field == "book"
    assert "notes.xlsx" in refused.value.sentence


def test_a_formula_that_was_never_calculated_is_no_name():
    book = openpyxl.load_workbook(io.BytesIO(design_book.template({})))
    book["Animals"]["A2"] = "=1+1"
    target = io.BytesIO()
    book.save(target)
    with pytest.raises(Refused, match="never calculated"):
        design_book.read("design.xlsx", target.getvalue())


@pytest.mark.django_db
def test_a_template_is_had_filled_and_sent_back(draft, client, alice):
    draft(animals=2, grades=False)
    client.force_login(alice)
    page = "/datasets/AMGS-000001.1/design"
    answer = client.get(f"{page}.xlsx")
    assert answer["Content-Type"] == design_book.MEDIA_TYPE
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    names = [cell.value for cell in book["Animals"]["A"]]
    assert names == ["name", "m1", "m2"]
    book["Animals"].append(["m3", "nowhere"])
    refused = client.post(page, {"book": _file(book)})
    assert refused.status_code == 422
    text = refused.content.decode()
    assert "Animals, row 4, column group" in text
    assert 'id="animals" name="animals"' in text
    assert text.count('aria-invalid="true"') == 1
    assert "m3\tnowhere" in text  # nothing typed is lost
    book["Animals"]["B4"] = "alpha"
    assert client.post(page, {"book": _file(book)}).status_code == 302
    assert Animal.objects.filter(dropped=False).count() == 3


@pytest.mark.django_db
def test_what_holds_for_the_dataset_is_filled_in_and_sent_back(draft, client, alice):
    version = draft(animals=2, grades=False)
    client.force_login(alice)
    page = "/datasets/AMGS-000001.1/design"
    book = openpyxl.load_workbook(io.BytesIO(client.get(f"{page}.xlsx").content))
    sheet = book["Dataset"]
    place = {row[0].value: row[1] for row in sheet.iter_rows(min_row=2)}
    assert place["title"].value == version.title
    assert "people_and_cards" not in place, "a statement is signed where one submits"
    place["title"].value = "Grimace after surgery"
    place["description"].value = "First line.\nSecond line."
    place["assay"].value = "no such assay"
    place["lighting"].value = "a lamp of our own"
    sheet.append(["coat", "white"])
    sheet.append(["colour", "white"])
    refused = client.post(page, {"book": _file(book)})
    assert refused.status_code == 422
    text = refused.content.decode()
    assert f"Dataset, row {place['assay'].row}, column value" in text
    assert f"Dataset, row {sheet.max_row}, column field: There is no field “colour”." in text
    version.refresh_from_db()
    assert version.title != "Grimace after surgery"
    sheet.delete_rows(sheet.max_row)
    place["assay"].value = "neuropathic"
    assert client.post(page, {"book": _file(book)}).status_code == 302
    version.refresh_from_db()
    assert (version.title, version.description) == (
        "Grimace after surgery",
        "First line.\nSecond line.",
    )
    said = {key: version.metadata[key] for key in ("assay", "lighting", "coat")}
    assert said == {"assay": "neuropathic", "lighting": "a lamp of our own", "coat": "white"}
    # It comes back as it was, with the row that was added; an empty value empties the field.
    again = openpyxl.load_workbook(io.BytesIO(client.get(f"{page}.xlsx").content))
    rows = {row[0].value: row[1] for row in again["Dataset"].iter_rows(min_row=2)}
    assert rows["coat"].value == "white"
    rows["lighting"].value = None
    for title, _ in design_table.TABLES.values():
        del again[title]  # without its tables the design stays
    assert client.post(page, {"book": _file(again)}).status_code == 302
    version.refresh_from_db()
    assert "lighting" not in version.metadata
    assert Animal.objects.filter(dropped=False).count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["something"], ["title"]], "needs the columns"),
        ([["field", "value"], ["title", ""]], "The title is missing"),
        ([["field", "value"], ["people_and_cards", "seen"]], "on which you submit"),
        ([["field", "value"], ["assay", "neuropathic"], ["assay", "inflammatory"]], "named twice"),
    ],
)
def test_a_sheet_of_the_dataset_that_cannot_be_is_refused(draft, client, alice, rows, said):
    draft(animals=2, grades=False)
    client.force_login(alice)
    book = openpyxl.Workbook()
    book.worksheets[0].title = "Dataset"
    for row in rows:
        book.worksheets[0].append(row)
    refused = client.post("/datasets/AMGS-000001.1/design", {"book": _file(book)})
    assert refused.status_code == 422
    assert said in refused.content.decode()


def _file(book: openpyxl.Workbook) -> SimpleUploadedFile:
    target = io.BytesIO()
    book.save(target)
    return SimpleUploadedFile("design.xlsx", target.getvalue())
